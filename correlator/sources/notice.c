/* SPDX-License-Identifier: Apache-2.0 */
#include "correlator/sources/notice.h"

#include <stdlib.h>
#include <string.h>

#define LEVEL_IMPORTANT 3U

static const char *const impaired[] = {"attack.defense-impairment", "attack.t1562"};

/* By what the system is worth: of none or a low level, of level 3, of level 4 and 5. */
struct grade {
    enum hd_severity severity[3];
};

static const struct grade grave = {{HD_SEV_MEDIUM, HD_SEV_HIGH, HD_SEV_CRITICAL}};
static const struct grade plain = {{HD_SEV_LOW, HD_SEV_MEDIUM, HD_SEV_HIGH}};
static const struct grade filling = {{HD_SEV_MEDIUM, HD_SEV_MEDIUM, HD_SEV_MEDIUM}};
static const struct grade almost = {{HD_SEV_HIGH, HD_SEV_HIGH, HD_SEV_HIGH}};
static const struct grade note = {{HD_SEV_LOW, HD_SEV_LOW, HD_SEV_LOW}};

static const struct own_rule {
    const char *id, *title, *title_vi, *description, *description_vi;
    const struct grade *grade;
    bool is_impairment;
} own_rules[COR_NOTICE_KINDS] = {
    [COR_NOTICE_STOPPED] =
        {"5ac0f3a4-3b5e-4b1c-9d0e-6f1d2a7c0001", "Log source has stopped",
         "Nguồn nhật ký đã ngừng gửi",
         "Its agent is connected, but no line has come from this source for much longer "
         "than it ever usually pauses. Logging may have been stopped or redirected: look "
         "at the service that writes, its configuration, the disk and the sender.",
         "Tác tử vẫn kết nối nhưng nguồn này im lặng lâu hơn nhiều so với khoảng nghỉ "
         "thường thấy. Có thể việc ghi nhật ký đã bị tắt hoặc chuyển hướng: hãy kiểm tra "
         "dịch vụ ghi nhật ký, cấu hình, ổ đĩa và máy gửi.",
         &grave, true},
    [COR_NOTICE_SLOWED] =
        {"5ac0f3a4-3b5e-4b1c-9d0e-6f1d2a7c0002", "Log source sends far less than usual",
         "Nguồn nhật ký gửi ít hơn hẳn bình thường",
         "In the last hour this source sent a small part of the least that it usually "
         "sends in that hour of the day. A filter, a log level or a part of the system "
         "may "
         "have been switched off.",
         "Trong giờ vừa qua nguồn này chỉ gửi một phần nhỏ so với mức thấp nhất thường "
         "thấy vào giờ đó. Có thể ai đó đã đổi bộ lọc, mức ghi nhật ký hoặc tắt một phần "
         "hệ thống.",
         &plain, true},
    [COR_NOTICE_RESUMED] =
        {"5ac0f3a4-3b5e-4b1c-9d0e-6f1d2a7c0003", "Log source is back to its usual",
         "Nguồn nhật ký đã gửi lại bình thường",
         "A source that had stopped or slowed down sends as usual again.",
         "Nguồn đã ngừng hoặc gửi chậm nay gửi lại như thường lệ.", &note, false},
    [COR_NOTICE_CLOCK] =
        {"5ac0f3a4-3b5e-4b1c-9d0e-6f1d2a7c0004", "Clock of a log source is wrong",
         "Đồng hồ của nguồn nhật ký bị lệch",
         "The times in its lines are steadily off the time at which they were received. "
         "Correlation and evidence suffer: look at NTP and at the time zone.",
         "Thời gian ghi trong dòng nhật ký lệch đều so với lúc nhận. Việc tương quan và "
         "giá trị chứng cứ bị ảnh hưởng: hãy kiểm tra NTP và múi giờ.",
         &plain, false},
    [COR_NOTICE_AGENT_LOST] =
        {"5ac0f3a4-3b5e-4b1c-9d0e-6f1d2a7c0005", "Agent is not connected",
         "Tác tử mất kết nối",
         "This agent has not been connected for longer than sources.floor: none of its "
         "sources is watched. It keeps its lines and sends them when it is back.",
         "Tác tử không kết nối lâu hơn sources.floor: không nguồn nào của nó được giám "
         "sát. Tác tử giữ các dòng nhật ký và gửi khi kết nối lại.",
         &grave, true},
    [COR_NOTICE_AGENT_BACK] = {"5ac0f3a4-3b5e-4b1c-9d0e-6f1d2a7c0006",
                               "Agent is connected again", "Tác tử đã kết nối lại",
                               "An agent that was told lost is connected.",
                               "Tác tử từng bị báo mất kết nối nay đã kết nối.", &note,
                               false},
    [COR_NOTICE_AGENT_CLOCK] = {"5ac0f3a4-3b5e-4b1c-9d0e-6f1d2a7c0007",
                                "Clock of an agent is wrong",
                                "Đồng hồ của máy chạy tác tử bị lệch",
                                "The agent's clock differs from the correlator's. The "
                                "receive times of its lines "
                                "are wrong by as much: look at NTP.",
                                "Đồng hồ của tác tử khác với đồng hồ bộ tương quan. Thời "
                                "điểm nhận các dòng nhật "
                                "ký sai đúng bấy nhiêu: hãy kiểm tra NTP.",
                                &plain, false},
    [COR_NOTICE_UNWATCHED] =
        {"5ac0f3a4-3b5e-4b1c-9d0e-6f1d2a7c0008", "Information system is unmonitored",
         "Hệ thống thông tin không được giám sát",
         "No source of this system of level 3 or more, as the inventory knows it, sends "
         "anything. Connect it, or correct its hosts and networks in the inventory.",
         "Không nguồn nào của hệ thống cấp độ 3 trở lên này (theo danh mục) gửi nhật ký. "
         "Hãy kết nối, hoặc sửa máy chủ và dải mạng của hệ thống trong danh mục.",
         &grave, true},
    [COR_NOTICE_STORE_WARNING] =
        {"5ac0f3a4-3b5e-4b1c-9d0e-6f1d2a7c0009", "Log store fills up",
         "Kho lưu nhật ký sắp đầy",
         "A journal of the correlator, or the disk it is on, has passed "
         "near_full.warning. Add disk, keep less (retention), or compact the archive "
         "before it is full.",
         "Một kho lưu của bộ phân tích, hoặc ổ đĩa chứa nó, đã vượt ngưỡng "
         "near_full.warning. Hãy thêm đĩa, giảm thời hạn lưu hoặc nén lại kho lưu trước "
         "khi đầy.",
         &filling, false},
    [COR_NOTICE_STORE_ALARM] =
        {"5ac0f3a4-3b5e-4b1c-9d0e-6f1d2a7c000a", "Log store is nearly full",
         "Kho lưu nhật ký gần như đã đầy",
         "A journal of the correlator, or the disk it is on, has passed near_full.alarm. "
         "When it is full nothing more is taken: agents keep their lines until their "
         "spools are full, detection waits.",
         "Một kho lưu của bộ phân tích, hoặc ổ đĩa chứa nó, đã vượt ngưỡng "
         "near_full.alarm. Khi đầy, bộ phân tích không nhận thêm: tác tử giữ các dòng "
         "cho tới khi hàng đợi đầy, việc phát hiện phải chờ.",
         &almost, false},
    [COR_NOTICE_STORE_ROOM] = {"5ac0f3a4-3b5e-4b1c-9d0e-6f1d2a7c000b",
                               "Log store has room again", "Kho lưu nhật ký đã có chỗ",
                               "A store that was nearly full is well below "
                               "near_full.warning again.",
                               "Kho lưu từng gần đầy nay đã xuống dưới ngưỡng "
                               "near_full.warning.",
                               &note, false},
    [COR_NOTICE_STARVED] =
        {"5ac0f3a4-3b5e-4b1c-9d0e-6f1d2a7c0010", "Correlation is losing groups",
         "Luật tương quan đang mất nhóm",
         "A correlation needs more memory than it may use: what was counted for its "
         "least active groups is forgotten, so that slow attacks may be missed. Raise "
         "detect.memory or detect.rule_memory, or look whether somebody invents the "
         "values that it groups by.",
         "Một luật tương quan cần nhiều bộ nhớ hơn mức cho phép: số đếm của các nhóm ít "
         "hoạt động nhất bị bỏ đi, nên có thể bỏ sót tấn công chậm. Hãy tăng "
         "detect.memory hoặc detect.rule_memory, hoặc xem có ai đang tạo ra hàng loạt "
         "giá trị giả cho trường gom nhóm hay không.",
         &filling, false},
};

static const char *level_name(const struct own_rule *own, enum hd_severity severity)
{
    return own->grade == &note ? "informational" : hd_severity_name(severity);
}

static struct rul_rule rule_of(const struct own_rule *own, uint8_t level)
{
    unsigned grade = level < LEVEL_IMPORTANT ? 0 : level == LEVEL_IMPORTANT ? 1 : 2;
    enum hd_severity severity = own->grade->severity[grade];
    return (struct rul_rule){
        .type = RUL_DETECTION,
        .id = own->id,
        .name = "",
        .title = own->title,
        .title_vi = own->title_vi,
        .description = own->description,
        .description_vi = own->description_vi,
        .author = "Hải Đăng",
        .license = "Apache-2.0",
        .status = "",
        .level = level_name(own, severity),
        .severity = severity,
        .tags = impaired,
        .n_tags = own->is_impairment ? sizeof(impaired) / sizeof(impaired[0]) : 0,
        .delivery = "province",
        .file = "",
        .alerts = true};
}

/* The event says where it was: nobody's line. The peer is what is concerned, so it is a
 * destination: a source would be taken for an attacker. */
static int make_event(const struct cor_notice_facts *f, struct cor_event **out)
{
    const struct cor_origin origin = {.agent = f->agent, .boot = f->boot, .seq = f->seq};
    struct rul_event_copy *copy = NULL;
    struct rul_event *ev = calloc(1, sizeof(*ev));
    if (ev == NULL) {
        return HD_ENOMEM;
    }
    ev->time_ns = ev->recv_ns = f->last_ns;
    ev->raw = HD_SLICE_EMPTY;
    if (f->host.len > 0) {
        rul_event_set(ev, RUL_F_HOST_NAME, f->host);
    }
    if (f->peer.len > 0) {
        rul_event_set(ev, RUL_F_DESTINATION_IP, f->peer);
    }
    int err = rul_event_copy(ev, &copy);
    free(ev);
    return err != HD_OK ? err : cor_event_new(&origin, copy, out);
}

static void add(struct cor_notice *n, uint8_t **at, const char *field,
                struct hd_slice value)
{
    if (value.len > 0) {
        memcpy(*at, value.ptr, value.len);
        n->detection.group[n->detection.n_group++] =
            (struct rul_group_value){field, hd_slice(*at, value.len)};
        *at += value.len;
    }
}

int cor_notice_new(const struct cor_notice_facts *f, struct cor_notice **out)
{
    size_t texts = f->agent.len + f->host.len + f->source_kind.len + f->source_name.len +
                   f->measure.len + f->system.len;
    struct cor_notice *n = calloc(1, sizeof(*n) + texts);
    int err = n == NULL ? HD_ENOMEM : make_event(f, &n->event);
    if (err != HD_OK) {
        free(n);
        return err;
    }
    uint8_t *at = n->text;
    n->rule = rule_of(&own_rules[f->kind], f->level);
    n->detection = (struct rul_detection){.rule = &n->rule,
                                          .first_ns = f->last_ns,
                                          .last_ns = f->now_ns,
                                          .end_ns = f->now_ns,
                                          .count = 1,
                                          .first_position = n->event->position,
                                          .last_position = n->event->position};
    add(n, &at, "system.id", f->system);
    n->system = f->system.len == 0 ? HD_SLICE_EMPTY : n->detection.group[0].value;
    add(n, &at, "agent.name", f->agent);
    add(n, &at, "host.name", f->host);
    add(n, &at, "source.kind", f->source_kind);
    add(n, &at, "source.name", f->source_name);
    add(n, &at, f->measure_name, f->measure);
    *out = n;
    return HD_OK;
}

void cor_notice_free(void *notice)
{
    struct cor_notice *n = notice;
    if (n != NULL) {
        cor_event_unref(n->event);
        free(n);
    }
}

struct cor_alert_input cor_notice_input(const struct cor_notice *n)
{
    return (struct cor_alert_input){.rule = &n->rule,
                                    .event = n->event,
                                    .detection = &n->detection,
                                    .system = n->system};
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Time zones: a bounded reader of TZif files (RFC 9636) and of the rule that ends them,
 * so that no environment variable is touched and any thread may ask any zone. A zone is
 * read once and constant from then on. Thread: any.
 */
#include <stdlib.h>

#include <haidang/bytes.h>
#include <haidang/clock.h>
#include <haidang/fs.h>
#include <haidang/num.h>

enum {
    FILE_MAX = 128 << 10, /* the largest of tzdata 2025 has 4 KiB */
    NAME_MAX_LEN = 64,
    TYPES_MAX = 256,
    TRANSITIONS_MAX = 4096,
    DAY_S = 86400,
};

#define TZ_DIR "/usr/share/zoneinfo"

enum rule_kind { RULE_MONTH_WEEK_DAY, RULE_JULIAN, RULE_DAY };

/* When daylight-saving time starts or ends, in local seconds. */
struct rule {
    enum rule_kind kind;
    int month, week, day;
    int time_s;
};

/* What holds after the last transition: the POSIX TZ string at the file's end. */
struct footer {
    bool given;
    bool has_dst;
    int std_s, dst_s; /* east of UTC */
    struct rule start, end;
};

struct hd_zone {
    int first_s; /* before the first transition */
    struct footer footer;
    size_t n;
    struct {
        int64_t at_s;
        int offset_s;
    } transition[];
};

/* Known without a database: Viet Nam has kept one offset since 1975 (IANA tz, file
 * `asia`, zone Asia/Ho_Chi_Minh), and a server without tzdata must still read its logs.
 */
static const struct {
    const char *name;
    int offset_s;
} built_in[] = {
    {"UTC", 0},
    {"Asia/Ho_Chi_Minh", 7 * 3600},
    {"Asia/Saigon", 7 * 3600},
};

/* ---- POSIX TZ string ---- */

static bool take_char(struct hd_slice *s, uint8_t c)
{
    if (s->len == 0 || s->ptr[0] != c) {
        return false;
    }
    *s = hd_slice_from(*s, 1);
    return true;
}

static bool take_number(struct hd_slice *s, uint64_t min, uint64_t max, int *out)
{
    uint64_t value = 0;
    size_t n = hd_num_prefix_u64(*s, 3, max, &value);
    if (n == 0 || value < min) {
        return false;
    }
    *s = hd_slice_from(*s, n);
    *out = (int)value;
    return true;
}

/* "<" 1*( alphanumeric / "+" / "-" ) ">" / 3*ALPHA */
static bool take_name(struct hd_slice *s)
{
    if (take_char(s, '<')) {
        size_t end = hd_slice_find_byte(*s, '>');
        *s = hd_slice_from(*s, end == HD_NPOS ? s->len : end + 1);
        return end != HD_NPOS && end > 0;
    }
    size_t n = 0;
    while (n < s->len && hd_is_alpha(s->ptr[n])) {
        n++;
    }
    *s = hd_slice_from(*s, n);
    return n >= 3;
}

/* [ "+" / "-" ] hh [ ":" mm [ ":" ss ] ]; RFC 9636 lets hours run to 167. */
static bool take_time(struct hd_slice *s, int *seconds)
{
    int hour = 0;
    int minute = 0;
    int second = 0;
    bool negative = take_char(s, '-');
    if (!negative) {
        (void)take_char(s, '+');
    }
    if (!take_number(s, 0, 167, &hour) ||
        (take_char(s, ':') && !take_number(s, 0, 59, &minute)) ||
        (take_char(s, ':') && !take_number(s, 0, 59, &second))) {
        return false;
    }
    *seconds = (negative ? -1 : 1) * (hour * 3600 + minute * 60 + second);
    return true;
}

/* "," ( "M" m "." w "." d / "J" n / n ) [ "/" time ] */
static bool take_rule(struct hd_slice *s, struct rule *rule)
{
    *rule = (struct rule){.kind = RULE_DAY, .time_s = 2 * 3600};
    if (!take_char(s, ',')) {
        return false;
    }
    if (take_char(s, 'M')) {
        rule->kind = RULE_MONTH_WEEK_DAY;
        if (!take_number(s, 1, 12, &rule->month) || !take_char(s, '.') ||
            !take_number(s, 1, 5, &rule->week) || !take_char(s, '.') ||
            !take_number(s, 0, 6, &rule->day)) {
            return false;
        }
    } else if (take_char(s, 'J')) {
        rule->kind = RULE_JULIAN;
        if (!take_number(s, 1, 365, &rule->day)) {
            return false;
        }
    } else if (!take_number(s, 0, 365, &rule->day)) {
        return false;
    }
    return !take_char(s, '/') || take_time(s, &rule->time_s);
}

/* std offset [ dst [ offset ] rule rule ]; POSIX counts west of UTC. */
static bool parse_footer(struct hd_slice s, struct footer *footer)
{
    *footer = (struct footer){.given = s.len > 0};
    if (s.len == 0) {
        return true;
    }
    if (!take_name(&s) || !take_time(&s, &footer->std_s)) {
        return false;
    }
    footer->std_s = -footer->std_s;
    if (s.len == 0) {
        return true;
    }
    footer->has_dst = true;
    footer->dst_s = footer->std_s + 3600;
    if (!take_name(&s)) {
        return false;
    }
    if (s.len > 0 && s.ptr[0] != ',') {
        if (!take_time(&s, &footer->dst_s)) {
            return false;
        }
        footer->dst_s = -footer->dst_s;
    }
    return take_rule(&s, &footer->start) && take_rule(&s, &footer->end) && s.len == 0;
}

/* Seconds since 1970 of a local date, as if it were UTC; false outside 1970..2262. */
static bool date_s(int year, int month, int day, int64_t *seconds)
{
    int64_t ns = 0;
    const struct hd_civil civil = {.year = year, .month = month, .day = day};
    if (hd_clock_from_civil(&civil, &ns) != HD_OK) {
        return false;
    }
    *seconds = ns / HD_NS_PER_SEC;
    return true;
}

static bool rule_s(const struct rule *rule, int year, int64_t *seconds)
{
    int64_t start = 0;
    int64_t leap_day = 0;
    bool is_leap = date_s(year, 2, 29, &leap_day);
    if (!date_s(year, rule->kind == RULE_MONTH_WEEK_DAY ? rule->month : 1, 1, &start)) {
        return false;
    }
    int64_t days = rule->day;
    if (rule->kind == RULE_MONTH_WEEK_DAY) {
        int64_t weekday = (start / DAY_S + 4) % 7; /* 1970-01-01 was a Thursday */
        int64_t day = 0;
        days = (rule->day - weekday + 7) % 7 + 7 * (int64_t)(rule->week - 1);
        if (rule->week == 5 && !date_s(year, rule->month, (int)days + 1, &day)) {
            days -= 7; /* "5" means the last one */
        }
    } else if (rule->kind == RULE_JULIAN) {
        days = rule->day - 1 + (is_leap && rule->day > 59); /* 29 February never counts */
    }
    *seconds = start + days * DAY_S + rule->time_s;
    return true;
}

static int footer_offset_s(const struct footer *footer, int64_t wall_ns, int64_t at_s)
{
    struct hd_civil civil;
    int64_t start = 0;
    int64_t end = 0;
    if (!footer->has_dst) {
        return footer->std_s;
    }
    hd_clock_to_civil(wall_ns, &civil);
    /* near New Year the local year may be another one; no zone changes its time then */
    if (!rule_s(&footer->start, civil.year, &start) ||
        !rule_s(&footer->end, civil.year, &end)) {
        return footer->std_s;
    }
    start -= footer->std_s;
    end -= footer->dst_s;
    bool is_dst = start < end ? at_s >= start && at_s < end : at_s >= start || at_s < end;
    return is_dst ? footer->dst_s : footer->std_s;
}

/* ---- TZif ---- */

struct header {
    uint8_t version;
    uint32_t isut, isstd, leap, times, types, chars;
};

/* "TZif" version 15*OCTET and six counts. */
static bool take_header(struct hd_bytes *c, struct header *h)
{
    struct hd_slice magic = hd_bytes_view(c, 4);
    h->version = hd_bytes_u8(c);
    hd_bytes_skip(c, 15);
    h->isut = hd_bytes_be32(c);
    h->isstd = hd_bytes_be32(c);
    h->leap = hd_bytes_be32(c);
    h->times = hd_bytes_be32(c);
    h->types = hd_bytes_be32(c);
    h->chars = hd_bytes_be32(c);
    return !hd_bytes_failed(c) && hd_slice_eq(magic, HD_SLICE("TZif")) &&
           h->times <= TRANSITIONS_MAX && h->types >= 1 && h->types <= TYPES_MAX &&
           h->chars <= FILE_MAX && h->leap <= FILE_MAX && h->isstd <= h->types &&
           h->isut <= h->types;
}

static void skip_version_1(struct hd_bytes *c, const struct header *h)
{
    hd_bytes_skip(c, (size_t)h->times * 5 + (size_t)h->types * 6 + h->chars +
                         (size_t)h->leap * 8 + h->isstd + h->isut);
}

static bool take_offsets(struct hd_bytes *c, const struct header *h,
                         int offset[TYPES_MAX])
{
    for (uint32_t i = 0; i < h->types; i++) {
        offset[i] = (int)hd_bytes_be32(c);
        hd_bytes_skip(c, 2);
        if (offset[i] <= -2 * DAY_S || offset[i] >= 2 * DAY_S) {
            return false;
        }
    }
    return !hd_bytes_failed(c);
}

static bool fill_transitions(struct hd_zone *zone, struct hd_bytes times,
                             struct hd_bytes kinds, const int *offset, uint32_t types)
{
    for (size_t i = 0; i < zone->n; i++) {
        uint8_t kind = hd_bytes_u8(&kinds);
        zone->transition[i].at_s = (int64_t)hd_bytes_be64(&times);
        if (kind >= types ||
            (i > 0 && zone->transition[i].at_s <= zone->transition[i - 1].at_s)) {
            return false;
        }
        zone->transition[i].offset_s = offset[kind];
    }
    return true;
}

static bool take_footer(struct hd_bytes *c, struct footer *footer)
{
    struct hd_slice rest = hd_bytes_view(c, hd_bytes_left(c));
    if (!take_char(&rest, '\n')) {
        return false;
    }
    size_t end = hd_slice_find_byte(rest, '\n');
    return end != HD_NPOS && parse_footer(hd_slice_head(rest, end), footer);
}

int hd_zone_parse(struct hd_slice tzif, struct hd_zone **out)
{
    struct hd_bytes c = hd_bytes(tzif);
    struct header h;
    int offset[TYPES_MAX];
    if (!take_header(&c, &h)) {
        return HD_ECORRUPT;
    }
    if (h.version < '2') {
        return HD_EVERSION;
    }
    skip_version_1(&c, &h);
    if (!take_header(&c, &h)) {
        return HD_ECORRUPT;
    }
    struct hd_bytes times = hd_bytes_sub(&c, (size_t)h.times * 8);
    struct hd_bytes kinds = hd_bytes_sub(&c, h.times);
    if (!take_offsets(&c, &h, offset)) {
        return HD_ECORRUPT;
    }
    hd_bytes_skip(&c, h.chars + (size_t)h.leap * 12 + h.isstd + h.isut);
    struct hd_zone *zone =
        calloc(1, sizeof(*zone) + h.times * sizeof(zone->transition[0]));
    if (zone == NULL) {
        return HD_ENOMEM;
    }
    zone->n = h.times;
    zone->first_s = offset[0];
    if (!fill_transitions(zone, times, kinds, offset, h.types) ||
        !take_footer(&c, &zone->footer)) {
        hd_zone_close(zone);
        return HD_ECORRUPT;
    }
    *out = zone;
    return HD_OK;
}

/* ---- opening ---- */

static int open_fixed(int offset_s, struct hd_zone **out)
{
    struct hd_zone *zone = calloc(1, sizeof(*zone));
    if (zone == NULL) {
        return HD_ENOMEM;
    }
    zone->first_s = offset_s;
    *out = zone;
    return HD_OK;
}

/* ( "+" / "-" ) 2DIGIT ":" 2DIGIT */
static int parse_fixed(struct hd_slice text, int *offset_s)
{
    uint16_t hour = 0;
    uint16_t minute = 0;
    if (text.len != 6 || text.ptr[3] != ':') {
        return HD_EPARSE;
    }
    int err = hd_num_u16(hd_slice_head(hd_slice_from(text, 1), 2), 23, &hour);
    if (err == HD_OK) {
        err = hd_num_u16(hd_slice_from(text, 4), 59, &minute);
    }
    *offset_s = (text.ptr[0] == '-' ? -1 : 1) * (hour * 3600 + minute * 60);
    return err;
}

/* Letters, digits, "_", "+", "-" and inner "/": no name leaves the directory. */
static bool is_zone_name(struct hd_slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if (!hd_is_alnum(c) && c != '_' && c != '+' && c != '-' && (c != '/' || i == 0)) {
            return false;
        }
    }
    return name.len > 0 && name.len <= NAME_MAX_LEN;
}

static int open_file(const char *dir, const char *name, struct hd_zone **out)
{
    struct hd_buf path;
    struct hd_buf file;
    hd_buf_init(&path, 0);
    hd_buf_init(&file, FILE_MAX + 1);
    hd_buf_printf(&path, "%s/%s", dir, name);
    int err = path.err;
    if (err == HD_OK) {
        err = hd_fs_read(hd_buf_cstr(&path), FILE_MAX, &file);
    }
    if (err == HD_OK) {
        err = hd_zone_parse(hd_buf_slice(&file), out);
    }
    hd_buf_fini(&path);
    hd_buf_fini(&file);
    return err;
}

int hd_zone_open_in(const char *dir, const char *zone, struct hd_zone **out)
{
    struct hd_slice name = hd_slice_str(zone);
    if (name.len > 0 && (name.ptr[0] == '+' || name.ptr[0] == '-')) {
        int offset_s = 0;
        int err = parse_fixed(name, &offset_s);
        return err != HD_OK ? err : open_fixed(offset_s, out);
    }
    if (!is_zone_name(name)) {
        return HD_EPARSE;
    }
    int err = open_file(dir, zone, out);
    for (size_t i = 0; err == HD_ENOENT && i < sizeof(built_in) / sizeof(built_in[0]);
         i++) {
        if (hd_slice_eq(name, hd_slice_str(built_in[i].name))) {
            return open_fixed(built_in[i].offset_s, out);
        }
    }
    return err;
}

int hd_zone_open(const char *zone, struct hd_zone **out)
{
    return hd_zone_open_in(TZ_DIR, zone, out);
}

void hd_zone_close(struct hd_zone *zone)
{
    free(zone);
}

int hd_zone_offset_s(const struct hd_zone *zone, int64_t wall_ns)
{
    int64_t at_s = wall_ns / HD_NS_PER_SEC - (wall_ns % HD_NS_PER_SEC < 0);
    size_t low = 0; /* transitions before `low` have happened */
    size_t high = zone->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->transition[middle].at_s <= at_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == zone->n && zone->footer.given) {
        return footer_offset_s(&zone->footer, wall_ns, at_s);
    }
    return low == 0 ? zone->first_s : zone->transition[low - 1].offset_s;
}

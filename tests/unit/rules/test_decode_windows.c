/* SPDX-License-Identifier: Apache-2.0
 *
 * Recorded Windows attacks as they arrive, through the shipped decoders and the public
 * rules: each event fires the rule written for it, with no log source declared, in every
 * shape that Windows events come in.
 */
#include "tests/support/support.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include <haidang/buf.h>

#include "rules/set.h"

#define FIXTURES 59U

static struct rul_set *set;
static struct rul_scratch *scratch;
static struct rul_decode_scratch *decode;
static struct rul_event *ev;

static int set_up(void **state)
{
    (void)state;
    struct hd_diags diags = {0};
    char *dir = NULL, *rules = NULL;
    const char *shared = hd_test_shared("sigma");
    if (shared == NULL) {
        return 0;
    }
    assert_true(asprintf(&rules, "%s", shared) > 0);
    assert_true(asprintf(&dir, "%s", hd_test_source("rules/decoders")) > 0);
    const char *const list[] = {rules};
    const struct rul_set_opts opts = {.decoders_dir = dir,
                                      .rules = list,
                                      .n_rules = 1,
                                      .keep_going = true,
                                      .no_self_test = true};
    assert_int_equal(rul_set_load(&opts, &set, &diags), 0);
    assert_int_equal(rul_scratch_new(set, &scratch), 0);
    assert_int_equal(rul_decode_scratch_new(&decode), 0);
    ev = calloc(1, sizeof(*ev));
    assert_non_null(ev);
    free(dir);
    free(rules);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(ev);
    rul_decode_scratch_free(decode);
    rul_scratch_free(scratch);
    rul_set_unref(set);
    return 0;
}

struct wanted {
    const char *id;
    bool fired;
};

static void on_hit(void *ctx, const struct rul_rule *rule, const struct rul_event *event)
{
    struct wanted *wanted = ctx;
    (void)event;
    wanted->fired = wanted->fired || strcmp(rule->id, wanted->id) == 0;
}

static bool fires(const char *id, struct hd_slice line)
{
    struct hd_batch_source source = {.host = HD_SLICE("agent"),
                                     .format = HD_SLICE("auto")};
    struct rul_record record = {&source, INT64_C(1790000000) * 1000000000, line};
    struct wanted wanted = {id, false};
    rul_decode(rul_set_decoders(set), decode, &record, ev);
    rul_match(set, scratch, ev, on_hit, &wanted);
    return wanted.fired;
}

/* ---- the same event in other shapes ---- */

static json_t *system_of(const json_t *event)
{
    return json_object_get(json_object_get(event, "Event"), "System");
}

static json_t *provider_of(const json_t *event)
{
    json_t *provider = json_object_get(system_of(event), "Provider");
    return json_object_get(json_object_get(provider, "#attributes"), "Name");
}

static json_t *as_it_is(const json_t *event)
{
    return json_incref((json_t *)(uintptr_t)event);
}

static json_t *as_winlogbeat(const json_t *event)
{
    json_t *system = system_of(event);
    json_t *data = json_object_get(json_object_get(event, "Event"), "EventData");
    return json_pack(
        "{s:s, s:{s:O, s:O, s:O, s:O, s:O}}", "@timestamp", "2026-11-21T00:00:00Z",
        "winlog", "channel", json_object_get(system, "Channel"), "event_id",
        json_object_get(system, "EventID"), "provider_name", provider_of(event),
        "computer_name", json_object_get(system, "Computer"), "event_data", data);
}

static json_t *as_flat(const json_t *event)
{
    json_t *system = system_of(event);
    json_t *data = json_object_get(json_object_get(event, "Event"), "EventData");
    json_t *flat =
        json_pack("{s:s, s:O, s:O, s:O, s:O}", "EventTime", "2026-11-21 07:00:00",
                  "Channel", json_object_get(system, "Channel"), "EventID",
                  json_object_get(system, "EventID"), "SourceName", provider_of(event),
                  "Hostname", json_object_get(system, "Computer"));
    assert_int_equal(json_object_update(flat, data), 0);
    return flat;
}

/* The paths as single members: what Filebeat and others make of nested ones. */
static json_t *as_dotted(const json_t *event)
{
    json_t *winlogbeat = as_winlogbeat(event), *dotted = json_object(), *value;
    const char *key;
    json_object_foreach(json_object_get(winlogbeat, "winlog"), key, value)
    {
        char name[128];
        (void)snprintf(name, sizeof(name), "winlog.%s", key);
        assert_int_equal(json_object_set(dotted, name, value), 0);
    }
    json_decref(winlogbeat);
    return dotted;
}

/* The text with its backslashes and quotes escaped once more. */
static json_t *escaped(const json_t *value)
{
    struct hd_buf text;
    hd_buf_init(&text, 0);
    for (const char *at = json_string_value(value); *at != '\0'; at++) {
        if (*at == '\\' || *at == '"') {
            hd_buf_byte(&text, '\\');
        }
        hd_buf_byte(&text, (uint8_t)*at);
    }
    json_t *made = json_string(hd_buf_cstr(&text));
    hd_buf_fini(&text);
    return made;
}

static json_t *as_wazuh(const json_t *event)
{
    json_t *system = system_of(event), *eventdata = json_object(), *value;
    const char *key;
    json_object_foreach(json_object_get(json_object_get(event, "Event"), "EventData"),
                        key, value)
    {
        char name[128];
        (void)snprintf(name, sizeof(name), "%s", key);
        name[0] = (char)hd_lower((uint8_t)name[0]);
        json_t *written = json_is_string(value) ? escaped(value) : json_incref(value);
        assert_int_equal(json_object_set_new(eventdata, name, written), 0);
    }
    return json_pack("{s:s, s:{s:{s:{s:O, s:O, s:O, s:O}, s:o}}}", "timestamp",
                     "2026-11-21T07:00:00.000+0700", "data", "win", "system", "channel",
                     json_object_get(system, "Channel"), "eventID",
                     json_object_get(system, "EventID"), "providerName",
                     provider_of(event), "computer", json_object_get(system, "Computer"),
                     "eventdata", eventdata);
}

typedef json_t *(*shape)(const json_t *event);

/* True when some line of the fixture fires its rule. */
static bool fixture_fires(const char *path, shape make)
{
    char *line = NULL;
    size_t cap = 0;
    bool fired = false;
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    for (ssize_t n; (n = getline(&line, &cap, in)) > 0;) {
        json_t *entry = json_loadb(line, (size_t)n, 0, NULL);
        json_t *event = make(json_object_get(entry, "event"));
        char *text = json_dumps(event, JSON_COMPACT);
        assert_non_null(text);
        fired = fires(json_string_value(json_object_get(entry, "rule")),
                      hd_slice_str(text)) ||
                fired;
        free(text);
        json_decref(event);
        json_decref(entry);
    }
    free(line);
    (void)fclose(in);
    return fired;
}

static void check_shape(shape make)
{
    unsigned files = 0, fired = 0;
    if (set == NULL) {
        hd_test_skip("no public rules");
    }
    DIR *dir = opendir(hd_test_shared("sigma-regression"));
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[1024];
        if (entry->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s", hd_test_shared("sigma-regression"),
                       entry->d_name);
        files++;
        if (fixture_fires(path, make)) {
            fired++;
        } else {
            print_message("%s does not fire\n", entry->d_name);
        }
    }
    (void)closedir(dir);
    assert_int_equal(files, FIXTURES);
    assert_int_equal(fired, FIXTURES);
}

static void test_event_xml(void **state)
{
    (void)state;
    check_shape(as_it_is);
}

static void test_winlogbeat(void **state)
{
    (void)state;
    check_shape(as_winlogbeat);
}

static void test_flat(void **state)
{
    (void)state;
    check_shape(as_flat);
}

static void test_wazuh(void **state)
{
    (void)state;
    check_shape(as_wazuh);
}

static void test_dotted(void **state)
{
    (void)state;
    check_shape(as_dotted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_xml), cmocka_unit_test(test_winlogbeat),
        cmocka_unit_test(test_flat),      cmocka_unit_test(test_dotted),
        cmocka_unit_test(test_wazuh),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * One scalar of a configuration file into one member of a struct, with its checks.
 * Thread: the caller's; no state.
 */
#include "lib/conf_impl.h"

#include <stdlib.h>

#include <haidang/array.h>
#include <haidang/buf.h>
#include <haidang/num.h>

enum { NAMES_MAX = 64, SHOWN_MAX = 80 };

/* Reports what is wrong with a value, with the start of it. */
static int refuse(const struct hd_conf_item *item, struct hd_slice text,
                  const struct hd_conf_place *place, const char *why)
{
    struct hd_slice shown = hd_slice_head(text, SHOWN_MAX);
    hd_diag_error(place->diags, place->file, place->line, place->column,
                  "%s: \"%.*s%s\" %s", item->key, HD_SLICE_FMT(shown),
                  shown.len < text.len ? "..." : "", why);
    return HD_EPARSE;
}

static bool has_range(const struct hd_conf_item *item)
{
    return item->min != 0 || item->max != 0;
}

static int refuse_range(const struct hd_conf_item *item, struct hd_slice text,
                        const struct hd_conf_place *place)
{
    char storage[160];
    struct hd_buf why = hd_buf_fixed(storage, sizeof(storage));
    hd_buf_str(&why, "is out of range: ");
    hd_conf_range(&why, item);
    return refuse(item, text, place, hd_buf_cstr(&why));
}

static int set_bool(const struct hd_conf_item *item, struct hd_slice text, void *member,
                    const struct hd_conf_place *place)
{
    if (hd_num_bool(text, member) != HD_OK) {
        return refuse(item, text, place, "is not true or false");
    }
    return HD_OK;
}

static int set_int(const struct hd_conf_item *item, struct hd_slice text, void *member,
                   const struct hd_conf_place *place)
{
    int64_t min = has_range(item) ? item->min : INT64_MIN;
    int64_t max = has_range(item) ? item->max : INT64_MAX;
    int err = hd_num_i64(text, min, max, member);
    if (err == HD_ERANGE) {
        return refuse_range(item, text, place);
    }
    return err == HD_OK ? HD_OK : refuse(item, text, place, "is not a whole number");
}

static int set_size(const struct hd_conf_item *item, struct hd_slice text, void *member,
                    const struct hd_conf_place *place)
{
    uint64_t bytes = 0;
    int err = hd_num_size(text, &bytes);
    if (err == HD_EPARSE) {
        return refuse(item, text, place, "is not a size such as 512, 64KiB or 2GiB");
    }
    if (err != HD_OK || (has_range(item) &&
                         (bytes < (uint64_t)item->min || bytes > (uint64_t)item->max))) {
        return refuse_range(item, text, place);
    }
    *(uint64_t *)member = bytes;
    return HD_OK;
}

static int set_duration(const struct hd_conf_item *item, struct hd_slice text,
                        void *member, const struct hd_conf_place *place)
{
    int64_t ns = 0;
    int err = hd_num_duration(text, &ns);
    if (err == HD_EPARSE) {
        return refuse(item, text, place, "is not a duration such as 200ms, 10s or 30d");
    }
    if (err != HD_OK || (has_range(item) && (ns < item->min || ns > item->max))) {
        return refuse_range(item, text, place);
    }
    *(int64_t *)member = ns;
    return HD_OK;
}

static int set_enum(const struct hd_conf_item *item, struct hd_slice text, void *member,
                    const struct hd_conf_place *place)
{
    char storage[1024];
    size_t n = 0;
    for (; item->names[n] != NULL && n < NAMES_MAX; n++) {
        if (hd_slice_eq(text, hd_slice_str(item->names[n]))) {
            *(int *)member = (int)n;
            return HD_OK;
        }
    }
    struct hd_buf why = hd_buf_fixed(storage, sizeof(storage));
    hd_buf_str(&why, "is not one of ");
    for (size_t i = 0; i < n; i++) {
        hd_buf_printf(&why, i > 0 ? ", %s" : "%s", item->names[i]);
    }
    struct hd_diag_hint hint;
    hd_buf_str(&why, hd_diag_hint(text, item->names, n, &hint));
    why.err = 0;
    return refuse(item, text, place, hd_buf_cstr(&why));
}

/* A path that is not absolute is meant from the directory of the file that names it. */
static char *path_from(const char *file, struct hd_slice text)
{
    const char *slash = strrchr(file, '/');
    if (text.len == 0 || text.ptr[0] == '/' || slash == NULL) {
        return hd_slice_dup(text);
    }
    size_t dir_len = (size_t)(slash - file) + 1;
    char *path = malloc(dir_len + text.len + 1);
    if (path != NULL) {
        memcpy(path, file, dir_len);
        memcpy(path + dir_len, text.ptr, text.len);
        path[dir_len + text.len] = '\0';
    }
    return path;
}

static int make_text(const struct hd_conf_item *item, struct hd_slice text, char **out,
                     const struct hd_conf_place *place)
{
    if (hd_slice_find_byte(text, '\0') != HD_NPOS) {
        return refuse(item, text, place, "has a NUL byte");
    }
    bool is_one = item->type != HD_CONF_STRINGS; /* of a list the range counts entries */
    if (is_one && has_range(item)
            ? text.len < (size_t)item->min || text.len > (size_t)item->max
            : text.len > HD_CONF_STRING_MAX) {
        return refuse_range(item, text, place);
    }
    *out = item->type == HD_CONF_PATH ? path_from(place->file, text) : hd_slice_dup(text);
    return *out == NULL ? HD_ENOMEM : HD_OK;
}

void *hd_conf_grow(void **array, size_t n, size_t size)
{
    void *larger = hd_array_grow(*array, n, size);
    if (larger == NULL) {
        return NULL;
    }
    *array = larger;
    void *last = (char *)*array + n * size;
    memset(last, 0, size);
    return last;
}

static int add_text(const struct hd_conf_item *item, struct hd_slice text, void *base,
                    const struct hd_conf_place *place)
{
    char ***list = hd_conf_member(base, item->offset);
    size_t *n = hd_conf_member(base, item->count_offset);
    char *copy = NULL;
    if (*n >= (item->max > 0 ? (size_t)item->max : HD_CONF_LIST_MAX)) {
        return refuse(item, text, place, "is one entry too many");
    }
    int err = make_text(item, text, &copy, place);
    if (err != HD_OK) {
        return err;
    }
    char **last = hd_conf_grow((void **)list, *n, sizeof(*last));
    if (last == NULL) {
        free(copy);
        return HD_ENOMEM;
    }
    *last = copy;
    (*n)++;
    return HD_OK;
}

int hd_conf_set(const struct hd_conf_item *item, struct hd_slice text, void *base,
                const struct hd_conf_place *place)
{
    void *member = hd_conf_member(base, item->offset);
    switch (item->type) {
    case HD_CONF_BOOL:
        return set_bool(item, text, member, place);
    case HD_CONF_INT:
        return set_int(item, text, member, place);
    case HD_CONF_SIZE:
        return set_size(item, text, member, place);
    case HD_CONF_DURATION:
        return set_duration(item, text, member, place);
    case HD_CONF_ENUM:
        return set_enum(item, text, member, place);
    case HD_CONF_STRING:
    case HD_CONF_PATH:
        return make_text(item, text, member, place);
    case HD_CONF_STRINGS:
        return add_text(item, text, base, place);
    case HD_CONF_SECTION:
    case HD_CONF_LIST:
        break;
    }
    return HD_EBUG;
}

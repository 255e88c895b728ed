/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/centre/answers.h"

#include <haidang/num.h>

static const struct {
    const char *word;
    enum answer_kind kind;
} words[] = {{"slow", ANSWER_SLOW},
             {"hang", ANSWER_HANG},
             {"reset", ANSWER_RESET},
             {"drop", ANSWER_DROP},
             {"big", ANSWER_BIG}};

static int parse_one(struct hd_slice word, struct answer *out)
{
    struct hd_slice number = word;
    struct hd_slice name;
    (void)hd_slice_split(&number, ':', &name);
    *out = (struct answer){.status = 200};
    if (number.len > 0 && hd_num_u64(number, 3600000, &out->number) != HD_OK) {
        return HD_EPARSE;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (hd_slice_eq(name, hd_slice_str(words[i].word))) {
            out->kind = words[i].kind;
            return HD_OK;
        }
    }
    return hd_num_u64(name, 599, &out->status);
}

int answers_parse(struct hd_slice text, struct answers *out)
{
    struct answers parsed = {.n = 0};
    struct hd_slice rest = hd_slice_trim(text);
    struct hd_slice word;
    while (rest.len > 0 && parsed.n < ANSWERS_MAX) {
        (void)hd_slice_split(&rest, ' ', &word);
        word = hd_slice_trim(word);
        if (word.len > 0 && parse_one(word, &parsed.list[parsed.n++]) != HD_OK) {
            return HD_EPARSE;
        }
    }
    if (parsed.n == 0) {
        return HD_EPARSE;
    }
    *out = parsed;
    return HD_OK;
}

struct answer answers_take(struct answers *answers)
{
    struct answer answer = answers->list[answers->next];
    if (answers->next + 1 < answers->n) {
        answers->next++;
    }
    return answer;
}

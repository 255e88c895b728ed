/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <string.h>

#include "console/report/paper.h"

static struct hd_buf out;

static int begin(void **state)
{
    (void)state;
    hd_buf_init(&out, 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    hd_buf_fini(&out);
    return 0;
}

static void expect(const char *text)
{
    if (strcmp(hd_buf_cstr(&out), text) != 0) {
        fail_msg("is:\n%s\nshould be:\n%s", hd_buf_cstr(&out), text);
    }
}

static void write_blocks(bool is_html, const char *text)
{
    static const char *const heads[] = {"host", "#n", NULL};
    struct con_paper paper = {.out = &out, .is_html = is_html};
    con_paper_heading(&paper, text);
    con_paper_text(&paper, "%s%d", text, 1);
    con_paper_item(&paper, "%s", text);
    con_paper_item(&paper, "second");
    con_paper_table(&paper, heads);
    con_paper_row(&paper, (const char *[]){text, "7"});
    con_paper_table_end(&paper);
    con_paper_end(&paper);
}

static void markdown_has_its_blocks(void **state)
{
    (void)state;
    write_blocks(false, "web1");
    expect("## web1\n\nweb11\n\n- web1\n- second\n\n| host | n |\n| --- | ---: |\n"
           "| web1 | 7 |\n\n");
}

static void html_has_its_blocks(void **state)
{
    (void)state;
    write_blocks(true, "web1");
    expect("<h2>web1</h2>\n<p>web11</p>\n<ul>\n<li>web1</li>\n<li>second</li>\n</ul>\n"
           "<table>\n<tr><th>host</th><th>n</th></tr>\n"
           "<tr><td>web1</td><td class=\"n\">7</td></tr>\n</table>\n</body>\n</html>\n");
}

static void text_of_strangers_is_no_html(void **state)
{
    (void)state;
    struct con_paper paper = {.out = &out, .is_html = true};
    con_paper_text(&paper, "%s", "<b onload=\"x\" c='y'>&amp;\n\x1b[31m\xff\xe2\x80\xae");
    expect("<p>&lt;b onload=&quot;x&quot; c=&#39;y&#39;&gt;&amp;amp;\\x0a\\x1b[31m\\xff"
           "\\u{202e}</p>\n");
}

static void text_of_strangers_is_no_markdown(void **state)
{
    (void)state;
    struct con_paper paper = {.out = &out};
    con_paper_text(&paper, "%s", "# a");
    con_paper_text(&paper, "%s",
                   "1. <i>*b*_c_`d`~e~</i> ![x](http://y) www.z a@b 2 | & \\");
    con_paper_text(&paper, "%s", "- x");
    expect(
        "\\# a\n\n1\\. \\<i\\>\\*b\\*\\_c\\_\\`d\\`\\~e\\~\\</i\\> !\\[x\\](http\\://y) "
        "www\\.z a\\@b 2 \\| \\& \\\\\n\n\\- x\n\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(markdown_has_its_blocks, begin, end),
        cmocka_unit_test_setup_teardown(html_has_its_blocks, begin, end),
        cmocka_unit_test_setup_teardown(text_of_strangers_is_no_html, begin, end),
        cmocka_unit_test_setup_teardown(text_of_strangers_is_no_markdown, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What haidang says about itself: help, completion, manual page, each about every command."""
import re
import subprocess

import console
from console import OK, RUNTIME, USAGE


class Help(console.Case):
    def commands(self):
        overview = self.run_haidang("help")
        self.assertEqual((overview.code, overview.err), (OK, ""))
        names = re.findall(r"^  ((?:(?:archive|ca|rules) )?\w+) ", overview.out, re.M)
        self.assertGreater(len(names), 15)
        return names

    def test_every_command_has_help_in_two_languages(self):
        for name in self.commands():
            english = self.run_haidang("help", *name.split())
            vietnamese = self.run_haidang(*name.split(), "--help", env={"LC_ALL": "vi_VN.UTF-8"})
            self.assertTrue(english.out.startswith(f"usage: haidang {name}"), name)
            self.assertTrue(english.out.isascii(), name)
            self.assertFalse(vietnamese.out.isascii(), name)
            self.assertTrue(all(len(line) <= 104 for line in english.out.splitlines()), name)

    def test_the_manual_page_names_every_command(self):
        page = self.run_haidang("man").out
        for name in self.commands():
            self.assertIn(f'.SS "{name}', page)

    def complete(self, *words):
        script = self.run_haidang("completion", "bash").out
        quoted = " ".join(f"'{word}'" for word in words)
        run = subprocess.run(["bash", "-c", f"{script}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _haidang; "
                              'printf "%s\\n" "${COMPREPLY[@]}"'], capture_output=True, text=True, check=True, cwd=self.dir)
        self.assertEqual(run.stderr, "")
        return set(run.stdout.split())

    def test_completion_knows_commands_options_and_choices(self):
        rules = {name.split()[1] for name in self.commands() if name.startswith("rules ")}
        self.assertEqual(self.complete("haidang", "rules", ""), rules)
        self.assertEqual(self.complete("haidang", "rules", "co"), {"convert", "coverage"})
        self.assertIn("rules", self.complete("haidang", "r"))
        self.assertLessEqual({"--events", "--logsource", "--strict"}, self.complete("haidang", "rules", "match", "--"))
        self.assertEqual(self.complete("haidang", "rules", "list", "--level", "h"), {"high"})
        self.write("rule.yml", "")
        self.assertEqual(self.complete("haidang", "rules", "check", "ru"), {"rule.yml"})

    def test_what_is_no_command(self):
        for args, text in ((("rules",), "a second word is missing behind 'rules': bench, check, list"),
                           (("rules", "mach"), "no command 'rules mach'; did you mean \"rules match\"?"),
                           (("help", "stauts"), "no command 'stauts'; did you mean \"status\"?"),
                           (("nothing",), "no command 'nothing'; see 'haidang help'")):
            result = self.run_haidang(*args)
            self.assertEqual((result.code, result.out), (USAGE, ""))
            self.assertIn(text, result.err)

    def test_what_is_no_option(self):
        for args, text in ((("rules", "check", "--strcit", "x.yml"), "rules check: '--strcit' is no option of it; did you mean \"strict\"?"),
                           (("tail", "-Z"), "tail: '-Z' is no option of it; see 'haidang help tail'"),
                           (("rules", "match", "x.yml", "--events"), "rules match: --events wants a value; see")):
            result = self.run_haidang(*args)
            self.assertEqual((result.code, result.out), (USAGE, ""))
            self.assertIn(f"haidang: {text}", result.err)

    def test_output_that_is_lost_is_no_success(self):
        rule = self.write("rule.yml", "title: t\nlogsource: {product: linux}\ndetection: {a: {f: 1}, condition: a}\n")
        for args in (("help",), ("man",), ("rules", "check", rule), ("rules", "check", "--json", rule), ("rules", "test", rule)):
            with open("/dev/full", "wb") as full:
                run = subprocess.run([console.PROGRAM, *args], stdout=full, stderr=subprocess.PIPE, check=False)
            self.assertEqual(run.returncode, RUNTIME, args)
            self.assertIn(b"the output cannot be written", run.stderr)


if __name__ == "__main__":
    console.main()

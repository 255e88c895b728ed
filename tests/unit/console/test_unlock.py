#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keys of encrypted archives: what is beside the one that is needed does not matter."""
import os

import archives
import console
from console import OK

LOCKED = 2  # of search: an error


class Unlock(archives.Case):
    def setUp(self):
        super().setUp()
        self.good = self.key("m.key", "42" * 32)
        self.archive = self.make(secret=self.good)

    def key(self, name, text, mode=0o600):
        path = self.write(f"keys/{name}", text + "\n")
        os.chmod(path, mode)
        return path

    def search(self, unlock):
        return self.run_haidang("search", "entry 3 line 7:", self.archive, "--unlock", unlock)

    def test_bad_keys_beside_the_good_one_are_named_and_passed_over(self):
        self.key("a.key", "no key")
        self.key("b.key", "17" * 32, mode=0o644)
        self.key("z.key", "")
        result = self.search(self.path("keys"))
        self.assertEqual((result.code, result.out.count("entry 3 line 7:")), (OK, 1), result.err)
        for name, why in (("a", "it is no key"), ("b", "others may"), ("z", "it is no key")):
            self.assertIn(f"{self.path('keys')}/{name}.key cannot be used and is passed over: {why}", result.err.replace(
                "you may not read it, or ", ""))
        self.assertEqual(self.search(self.good).err, "")

    def test_without_the_good_one_the_key_is_named(self):
        os.rename(self.good, self.path("elsewhere"))
        self.key("a.key", "no key")
        self.assertEqual(self.search(self.path("keys")).code, LOCKED)
        for unlock, why in (("keys/a.key", "it is no key"), ("none", "not found")):
            result = self.search(self.path(unlock))
            self.assertEqual(result.code, LOCKED)
            self.assertIn(f"the key {self.path(unlock)} cannot be used: {why}", result.err)


if __name__ == "__main__":
    console.main()

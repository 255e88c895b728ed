/* SPDX-License-Identifier: Apache-2.0
 *
 * main() of a fuzz target in ordinary builds: runs it once over every file of the corpus
 * directories named on the command line, so that what fuzzing found stays found.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return -1;
    }
    static uint8_t data[4 << 20];
    size_t size = fread(data, 1, sizeof(data), file);
    (void)fclose(file);
    /* an exact-size copy, so that the sanitizers see one byte too many */
    uint8_t *copy = malloc(size + (size == 0));
    if (copy == NULL) {
        return -1;
    }
    for (size_t i = 0; i < size; i++) {
        copy[i] = data[i];
    }
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    return 0;
}

static int replay_dir(const char *dir)
{
    DIR *entries = opendir(dir);
    if (entries == NULL) {
        perror(dir);
        return -1;
    }
    int files = 0;
    for (struct dirent *e = readdir(entries); e != NULL; e = readdir(entries)) {
        char path[4096];
        if (e->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        if (replay_file(path) == 0) {
            files++;
        }
    }
    (void)closedir(entries);
    return files;
}

int main(int argc, char **argv)
{
    int total = 0;
    for (int i = 1; i < argc; i++) {
        int files = replay_dir(argv[i]);
        if (files <= 0) {
            (void)fprintf(stderr, "%s: no corpus\n", argv[i]);
            return 1;
        }
        total += files;
    }
    (void)printf("%d inputs\n", total);
    return total > 0 ? 0 : 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "console/data.h"

#include <string.h>
#include <unistd.h>

/* The source tree of a program that is in BUILD/console; NULL when it is elsewhere. */
static const char *in_tree(const char *name, struct con_data_path *room)
{
    char self[2048];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash == NULL) {
        return NULL;
    }
    *slash = '\0';
    (void)snprintf(room->text, sizeof(room->text), "%s/../../../rules/%s", self, name);
    return access(room->text, R_OK) == 0 ? room->text : NULL;
}

static const char *find(const char *installed, const char *name,
                        struct con_data_path *room)
{
    const char *built = access(installed, R_OK) == 0 ? NULL : in_tree(name, room);
    return built != NULL ? built : installed;
}

const char *con_data_decoders(const struct con_args *args, struct con_data_path *room)
{
    const char *dir = con_args_value(args, "decoders");
    return dir != NULL ? dir : find(HD_DATA_DIR "/decoders", "decoders", room);
}

const char *con_data_rules(struct con_data_path *room)
{
    return find(HD_DATA_DIR "/rules", "library", room);
}

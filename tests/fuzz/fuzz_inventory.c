/* SPDX-License-Identifier: Apache-2.0
 *
 * Target functions: hd_csv_next hd_csv_value hd_inventory_parse (CSV and YAML)
 * The first byte chooses the format.
 */
#include <stddef.h>
#include <stdint.h>

#include <haidang/inventory.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct hd_diags diags = {0};
    struct hd_inventory *inventory = NULL;
    const char *path = data[0] == 'y' ? "x.yml" : "x.csv";
    if (hd_inventory_parse(hd_slice(data + 1, size - 1), path, &inventory, &diags) ==
        HD_OK) {
        (void)hd_inventory_by_host(inventory, HD_SLICE("web1"));
        struct hd_ip ip = hd_ip_v4((uint8_t[]){203, 0, 113, 7});
        (void)hd_inventory_by_ip(inventory, &ip);
        hd_inventory_free(inventory);
    }
    return 0;
}

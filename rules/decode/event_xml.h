/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows event XML (also what Sysmon for Linux writes) as leaves, with the paths that
 * its JSON form has: Event.System.EventID, Event.System.Provider.#attributes.Name, and
 * <Data Name="Image"> as Event.EventData.Image. Pure, bounded, no allocation.
 *
 * A subset of XML 1.0 on purpose: elements, attributes, text and the predefined and
 * numeric entities. Comments, CDATA, processing instructions behind the declaration and
 * document types are refused, so that nothing can be defined or included. Nesting up to
 * RUL_XML_DEPTH_MAX. Text of an element that has elements in it is passed over.
 */
#pragma once
#include "rules/decode/json_scan.h"

#define RUL_XML_DEPTH_MAX 16U

/* One element with all in it. Leaves are shown as they are met, so that the caller of a
 * text that turns out BAD must forget them. `type` is always RUL_JSON_STRING. */
enum hd_parse rul_event_xml_scan(struct hd_slice in, const struct rul_paths *paths,
                                 rul_json_on_leaf on_leaf, void *ctx);

/* Undoes the entities; never longer than raw, and so are unknown ones, which stay as they
 * are. Returns the length written to `out` (room for raw.len bytes). */
size_t rul_event_xml_unescape(struct hd_slice raw, uint8_t *out);

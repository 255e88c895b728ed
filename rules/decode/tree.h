/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines that are trees: JSON objects, Windows event XML. Internal to rules/decode.
 */
#pragma once
#include "rules/decode/fill.h"

/* Fills the event and its class. False, with nothing filled: the text is no tree, or of
 * no shape that a JSON decoder knows. */
bool rul_tree_read(struct rul_fill *f, struct hd_slice text);

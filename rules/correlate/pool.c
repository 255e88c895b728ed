/* SPDX-License-Identifier: Apache-2.0 */
#include "rules/correlate/pool.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define UNIT       8U
#define SIZES      (RUL_POOL_SMALL / UNIT + 1) /* by units */
#define LARGE      0U                          /* the size of pointers to large blocks */
#define SLOTS      4096U                       /* blocks a page can name */
#define SLOT_BITS  12U
#define PAGES_MAX  (1U << (32 - SLOT_BITS))
#define PAGE_BYTES (64U << 10)
#define NO_PAGE    UINT32_MAX
#define NO_SLOT    UINT16_MAX

struct page {
    uint32_t prev, next; /* pages of this size with room */
    uint16_t size;       /* in units, or LARGE */
    uint16_t units;      /* of a block */
    uint16_t n, cap;     /* blocks in use, blocks */
    uint16_t fresh;      /* from here on none was ever used */
    uint16_t free;       /* first of the given back, chained through their bytes */
    uint64_t bytes[];
};

struct place {         /* of a page: all that finding a block needs, close together */
    struct page *page; /* NULL: free */
    uint16_t units;
    bool is_large;
};

struct rul_pool {
    struct place *pages;
    uint32_t n_pages, cap_pages;
    uint32_t unused; /* hint: no free place in the table before it */
    uint32_t roomy[SIZES];
};

int rul_pool_new(struct rul_pool **out)
{
    struct rul_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL) {
        return HD_ENOMEM;
    }
    for (size_t i = 0; i < SIZES; i++) {
        pool->roomy[i] = NO_PAGE;
    }
    *out = pool;
    return 0;
}

void rul_pool_free(struct rul_pool *pool)
{
    for (uint32_t i = 0; pool != NULL && i < pool->n_pages; i++) {
        free(pool->pages[i].page);
    }
    if (pool != NULL) {
        free(pool->pages);
    }
    free(pool);
}

static uint32_t size_of(size_t bytes)
{
    if (bytes > RUL_POOL_SMALL) {
        return LARGE;
    }
    return bytes == 0 ? 1 : (uint32_t)((bytes + UNIT - 1) / UNIT);
}

size_t rul_pool_cost(size_t bytes)
{
    uint32_t size = size_of(bytes);
    return size == LARGE ? sizeof(void *) + bytes : (size_t)size * UNIT;
}

/* ---- pages ---- */

static void link_page(struct rul_pool *pool, uint32_t at)
{
    struct page *page = pool->pages[at].page;
    page->prev = NO_PAGE;
    page->next = pool->roomy[page->size];
    if (page->next != NO_PAGE) {
        pool->pages[page->next].page->prev = at;
    }
    pool->roomy[page->size] = at;
}

static void unlink_page(struct rul_pool *pool, uint32_t at)
{
    struct page *page = pool->pages[at].page;
    *(page->prev == NO_PAGE ? &pool->roomy[page->size]
                            : &pool->pages[page->prev].page->next) = page->next;
    if (page->next != NO_PAGE) {
        pool->pages[page->next].page->prev = page->prev;
    }
}

static uint32_t place_for_page(struct rul_pool *pool)
{
    while (pool->unused < pool->n_pages && pool->pages[pool->unused].page != NULL) {
        pool->unused++;
    }
    if (pool->unused < pool->n_pages) {
        return pool->unused;
    }
    if (pool->n_pages == pool->cap_pages) {
        uint32_t cap = pool->cap_pages == 0 ? 16 : pool->cap_pages * 2;
        struct place *pages = reallocarray(pool->pages, cap, sizeof(*pages));
        if (pages == NULL) {
            return NO_PAGE;
        }
        pool->pages = pages;
        pool->cap_pages = cap;
    }
    return pool->n_pages == PAGES_MAX ? NO_PAGE : pool->n_pages;
}

static uint32_t add_page(struct rul_pool *pool, uint32_t size)
{
    uint32_t units = size == LARGE ? sizeof(void *) / UNIT : size;
    uint32_t at = place_for_page(pool);
    struct page *page = at == NO_PAGE ? NULL : malloc(sizeof(*page) + PAGE_BYTES);
    if (page == NULL) {
        return NO_PAGE;
    }
    uint32_t cap = PAGE_BYTES / (units * UNIT);
    *page = (struct page){.size = (uint16_t)size,
                          .units = (uint16_t)units,
                          .cap = (uint16_t)(cap > SLOTS - 1 ? SLOTS - 1 : cap),
                          .free = NO_SLOT};
    pool->pages[at] = (struct place){page, (uint16_t)units, size == LARGE};
    pool->n_pages += at == pool->n_pages;
    link_page(pool, at);
    return at;
}

static void drop_page(struct rul_pool *pool, uint32_t at)
{
    unlink_page(pool, at);
    free(pool->pages[at].page);
    pool->pages[at].page = NULL;
    pool->unused = at < pool->unused ? at : pool->unused;
}

/* ---- blocks ---- */

static uint64_t *slot_at(struct page *page, uint32_t slot)
{
    return page->bytes + (size_t)slot * page->units;
}

/* Names begin at 1, so that none is RUL_POOL_NONE. */
static uint32_t take_slot(struct rul_pool *pool, uint32_t size)
{
    uint32_t at = pool->roomy[size];
    if (at == NO_PAGE) {
        at = add_page(pool, size);
    }
    if (at == NO_PAGE) {
        return RUL_POOL_NONE;
    }
    struct page *page = pool->pages[at].page;
    uint16_t slot = page->free;
    if (slot != NO_SLOT) {
        page->free = (uint16_t)*slot_at(page, slot);
    } else {
        slot = page->fresh++;
    }
    if (++page->n == page->cap) {
        unlink_page(pool, at);
    }
    return (at << SLOT_BITS | slot) + 1;
}

static void give_slot(struct rul_pool *pool, uint32_t block)
{
    uint32_t at = (block - 1) >> SLOT_BITS;
    uint16_t slot = (uint16_t)((block - 1) & (SLOTS - 1));
    struct page *page = pool->pages[at].page;
    *slot_at(page, slot) = page->free;
    page->free = slot;
    if (page->n-- == page->cap) {
        link_page(pool, at);
    }
    if (page->n == 0) {
        drop_page(pool, at);
    }
}

/* In the slot of a large one: where malloc put it. */
static uint64_t *slot_of(const struct rul_pool *pool, uint32_t block, bool *is_large)
{
    const struct place *place = &pool->pages[(block - 1) >> SLOT_BITS];
    *is_large = place->is_large;
    return place->page->bytes + (size_t)((block - 1) & (SLOTS - 1)) * place->units;
}

uint32_t rul_pool_take(struct rul_pool *pool, size_t bytes)
{
    bool is_large;
    uint32_t block = take_slot(pool, size_of(bytes));
    if (block == RUL_POOL_NONE || bytes <= RUL_POOL_SMALL) {
        return block;
    }
    void *large = malloc(bytes);
    if (large == NULL) {
        give_slot(pool, block);
        return RUL_POOL_NONE;
    }
    memcpy(slot_of(pool, block, &is_large), &large, sizeof(large));
    return block;
}

void *rul_pool_at(const struct rul_pool *pool, uint32_t block)
{
    bool is_large;
    if (block == RUL_POOL_NONE) {
        return NULL;
    }
    void *at = slot_of(pool, block, &is_large);
    if (is_large) {
        memcpy(&at, at, sizeof(at));
    }
    return at;
}

void rul_pool_give(struct rul_pool *pool, uint32_t block)
{
    bool is_large;
    if (block == RUL_POOL_NONE) {
        return;
    }
    (void)slot_of(pool, block, &is_large);
    if (is_large) {
        free(rul_pool_at(pool, block));
    }
    give_slot(pool, block);
}

/* Cuts the power at every step of a scripted life of a print store, and looks at what is left.
 *
 *     power_cut PROGRAM_BYTES SECTORS CUT KEY     CUT: 0 before, 1 within, 2 unstable; KEY: 0 none, 1 with
 *
 * For every step n the script runs until n is cut; then the store is mounted, at first with the mount cut at each of
 * its steps. It must hold what the finished operations left, and the interrupted one whole or not at all; bytes of
 * wiped prints must be nowhere on the flash; and the rest of the script must run to its known end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "esv_align.h"
#include "esv_store.h"
#include "ram_flash.h"

#define DIM 4u
#define NAMES 6u
#define CAPACITY 4u /* prints: fewer than names */
#define MEMORY_BYTES 512u

typedef struct {
    char kind; /* 'p' put, 'w' wipe, 'a' wipe all */
    uint8_t name;
} operation;

/* Puts, replacements, wipes, moves to the next sector because it is full, a full store, wiping an absent print. */
static const operation script[] = {
    {'p', 0}, {'p', 1}, {'p', 0}, {'p', 2}, {'p', 0}, {'p', 1}, {'p', 1}, {'w', 1}, {'p', 1}, {'p', 3}, {'p', 4},
    {'p', 5}, {'w', 0}, {'w', 0}, {'p', 5}, {'p', 4}, {'p', 4}, {'a', 0}, {'p', 2}, {'p', 3}, {'w', 2}, {'p', 3},
};
#define OPERATIONS (sizeof script / sizeof script[0])
#define IN_MOUNT (OPERATIONS + 1) /* no operation was on its way */

/* What the store should hold: the number of the operation that wrote each print + 1, or 0. */
typedef struct {
    uint8_t version[NAMES];
} model;

typedef struct {
    ram_flash flash;
    esv_store store;
    esv_store_config config;
    uint8_t sha256[32];
    uint8_t key[16];
} device;

ESV_ALIGNED(16) static uint8_t memory[MEMORY_BYTES];
static device now;
static const char *const names[NAMES] = {"ada", "bea", "carl", "dan", "eve", "fritz-with-the-longest-name"};

static void fail(const char *what, uint64_t cut, uint64_t second)
{
    printf("FAILED: %s, cut at step %llu, then at %llu\n", what, (unsigned long long)cut, (unsigned long long)second);
    exit(1);
}

/* out: (DIM), different in every byte for every version. */
static void make_embedding(uint8_t version, float *out)
{
    uint8_t bytes[DIM * sizeof(float)];
    for (size_t i = 0; i < sizeof bytes; ++i) {
        bytes[i] = (uint8_t)(version * 7u + i * 3u + 1u);
    }
    memcpy(out, bytes, sizeof bytes);
}

static uint32_t count_prints(const model *expected)
{
    uint32_t count = 0;
    for (size_t i = 0; i < NAMES; ++i) {
        count += expected->version[i] != 0;
    }
    return count;
}

/* What the store should hold once an operation has happened. */
static model after(size_t index, const model *before)
{
    const operation op = script[index];
    model result = *before;
    if (op.kind == 'a') {
        memset(&result, 0, sizeof result);
    } else {
        result.version[op.name] = op.kind == 'p' ? (uint8_t)(index + 1) : 0;
    }
    return result;
}

/* Runs one operation; the answer must be what the model says. Returns false when the power went. */
static bool perform(size_t index, model *expected, uint64_t cut)
{
    const operation op = script[index];
    const uint8_t version = (uint8_t)(index + 1);
    float embedding[DIM];
    esv_status wanted;
    esv_status status;
    if (op.kind == 'p') {
        make_embedding(version, embedding);
        status = esv_store_put(&now.store, names[op.name], version, embedding);
        wanted = expected->version[op.name] == 0 && count_prints(expected) == CAPACITY ? ESV_ERR_STORE_FULL : ESV_OK;
    } else {
        status = esv_store_wipe(&now.store, op.kind == 'a' ? NULL : names[op.name]);
        wanted = op.kind == 'w' && expected->version[op.name] == 0 ? ESV_ERR_NO_PRINT : ESV_OK;
    }
    if (now.flash.dead) {
        return false;
    }
    /* A print whose first writing was cut may be wiped though it is absent. */
    if (status != wanted && !(op.kind == 'w' && status == ESV_OK)) {
        fail(esv_status_text(status), cut, index);
    }
    if (wanted == ESV_OK) {
        *expected = after(index, expected);
    }
    return true;
}

/* A sector's bytes for CAPACITY slots; the layout is in esv_store.h. */
static uint32_t sector_bytes(uint32_t unit)
{
    const uint32_t pieces[3] = {8, 48, 28 + 4 + 4 * DIM + 16 + 8};
    uint32_t units[3];
    for (size_t i = 0; i < 3; ++i) {
        units[i] = (pieces[i] + unit - 1) / unit;
    }
    return (units[0] + 2 * units[1] + CAPACITY * units[2]) * unit;
}

static bool holds(const model *expected)
{
    uint32_t cursor = 0, listed = 0;
    esv_store_print print;
    while (esv_store_next(&now.store, &cursor, &print) == ESV_OK) {
        ++listed;
    }
    for (size_t i = 0; i < NAMES; ++i) {
        float found[DIM], wanted[DIM];
        uint32_t recordings = 0;
        const bool there = esv_store_get(&now.store, names[i], &recordings, found) == ESV_OK;
        make_embedding(expected->version[i], wanted);
        if (there != (expected->version[i] != 0)) {
            return false;
        }
        if (there && (recordings != expected->version[i] || memcmp(found, wanted, sizeof found) != 0)) {
            return false;
        }
    }
    return listed == count_prints(expected);
}

static bool on_flash(uint8_t version)
{
    float embedding[DIM];
    make_embedding(version, embedding);
    const uint8_t *at = now.flash.bytes;
    const uint8_t *end = at + now.flash.flash.sector_bytes * now.flash.flash.sector_count - sizeof embedding;
    while (at <= end && memcmp(at, embedding, sizeof embedding) != 0) {
        ++at;
    }
    return at <= end;
}

/* No version of a name that a finished wipe forgot may be on the flash. done: operations. */
static void check_wiped(size_t done, uint64_t cut, uint64_t second)
{
    for (size_t wipe = 0; wipe < done; ++wipe) {
        for (size_t put = 0; put < wipe && script[wipe].kind != 'p'; ++put) {
            const bool same = script[wipe].kind == 'a' || script[put].name == script[wipe].name;
            if (script[put].kind == 'p' && same && on_flash((uint8_t)(put + 1))) {
                fail("a wiped print is still on the flash", cut, second);
            }
        }
    }
}

static esv_status mount(void)
{
    now.flash.flash.context = &now.flash;
    return esv_store_mount(&now.store, &now.config, memory, sizeof memory);
}

/* Mounts after a cut within an operation, checks, and runs the script from there to its end. */
static void survive(size_t index, const model *before, uint64_t cut, uint64_t second)
{
    model reached = *before;
    size_t done = index == IN_MOUNT ? 0 : index;
    ram_flash_power_up(&now.flash, UINT64_MAX);
    const esv_status status = mount();
    if (status != ESV_OK) {
        fail(esv_status_text(status), cut, second);
    }
    if (!holds(&reached)) {
        if (index != IN_MOUNT) {
            reached = after(done++, before);
        }
        if (!holds(&reached)) {
            fail("committed prints are not what they were", cut, second);
        }
    }
    check_wiped(done, cut, second);
    for (; done < OPERATIONS; ++done) {
        if (!perform(done, &reached, cut)) {
            fail("the power went without a cut", cut, second);
        }
    }
    if (!holds(&reached)) {
        fail("the script ends elsewhere", cut, second);
    }
    check_wiped(OPERATIONS, cut, second);
}

static void make_device(device *fresh, char **arguments)
{
    const uint16_t unit = (uint16_t)atoi(arguments[0]);
    ram_flash_init(&fresh->flash, sector_bytes(unit), (uint16_t)atoi(arguments[1]), unit);
    fresh->flash.cut = (ram_flash_cut)atoi(arguments[2]);
    memset(fresh->sha256, 0x5a, sizeof fresh->sha256);
    memset(fresh->key, 0xa5, sizeof fresh->key);
    fresh->config.flash = &now.flash.flash;
    fresh->config.model_sha256 = now.sha256;
    fresh->config.key = atoi(arguments[3]) ? now.key : NULL;
    fresh->config.dim = DIM;
}

/* Runs the script from a power-up on; the power goes at a step, in the operation that is returned. */
static size_t run_until(uint64_t cut, model *expected)
{
    size_t index = 0;
    memset(expected, 0, sizeof *expected);
    ram_flash_power_up(&now.flash, cut);
    if (mount() != ESV_OK) {
        return IN_MOUNT;
    }
    while (index < OPERATIONS && perform(index, expected, cut)) {
        ++index;
    }
    return index;
}

/* Cuts the mount that follows a cut at each of its steps; returns how many those are. */
static unsigned long long cut_again(size_t index, const model *expected, uint64_t cut)
{
    const device after_cut = now;
    for (uint64_t second = 0;; ++second) {
        now = after_cut;
        ram_flash_power_up(&now.flash, second);
        if (mount() == ESV_OK) {
            return second;
        }
        survive(index, expected, cut, second);
    }
}

int main(int argc, char **argv)
{
    static device fresh;
    model expected;
    unsigned long long second_cuts = 0;
    if (argc != 5) {
        return 2;
    }
    make_device(&fresh, argv + 1);
    for (uint64_t cut = 0;; ++cut) {
        now = fresh;
        now.flash.random += (uint32_t)cut;
        const size_t index = run_until(cut, &expected);
        if (index == OPERATIONS) { /* the whole script without a cut: every step was tried */
            printf("{\"cuts\": %llu, \"second_cuts\": %llu}\n", (unsigned long long)cut, second_cuts);
            return now.store.num_slots == CAPACITY ? 0 : 1;
        }
        const device after_cut = now;
        survive(index, &expected, cut, UINT64_MAX);
        now = after_cut;
        second_cuts += cut_again(index, &expected, cut);
    }
}

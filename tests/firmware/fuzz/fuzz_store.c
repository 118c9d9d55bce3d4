/* Any bytes as a flash image, then any calls: the store answers, never lies, and never misuses flash.
 *
 *     byte 0     program unit, key, whether checksums are put right (so that the insides are reached)
 *     byte 1     number of operations, two bytes each: what, and with which name
 *     the rest   the flash image, repeated */
#include <stdlib.h>
#include <string.h>

#include "esv_align.h"
#include "esv_crc32.h"
#include "esv_store.h"
#include "ram_flash.h"

#define DIM 4u
#define SECTOR_BYTES 512u
#define SECTORS 3u
#define NAMES 4u

static const char *const names[NAMES] = {"ada", "bea", "carl", "z"};
static const uint8_t sha256[32] = {7};
static const uint8_t key[16] = {1, 2, 3};
static ram_flash flash;
static esv_store store;
static esv_store_config config;
ESV_ALIGNED(16) static uint8_t memory[256];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static uint32_t round_up(uint32_t bytes)
{
    return (bytes + flash.flash.program_bytes - 1u) / flash.flash.program_bytes * flash.flash.program_bytes;
}

/* Makes headers whose magic is there, and slots that are not blank, look whole. */
static void mend(void)
{
    const uint32_t mark = round_up(8), header = round_up(48), slot = round_up(28 + 4 + 4 * DIM + 16 + 8);
    for (uint32_t sector = 0; sector < SECTORS; ++sector) {
        uint8_t *at = flash.bytes + sector * SECTOR_BYTES;
        uint8_t *end = at + SECTOR_BYTES;
        at += mark;
        for (int copy = 0; copy < 2; ++copy, at += header) {
            const uint32_t magic = 0x31565345u, crc_bytes = slot;
            if (at[0] & 1) {
                memcpy(at, &magic, 4);
                memcpy(at + 8, &crc_bytes, 4);
                memcpy(at + 12, sha256, 32);
            }
            const uint32_t crc = esv_crc32(at, 44);
            memcpy(at + 44, &crc, 4);
        }
        for (; at + slot <= end; at += slot) {
            if (at[0] & 1 && at[0] != 0xff) {
                memset(at, 0, ESV_STORE_NAME_BYTES);
                strcpy((char *)at, names[at[40] % NAMES]);
            }
            const uint32_t crc = esv_crc32(at, slot - 8);
            const uint32_t crcs[2] = {crc, ~crc};
            if (at[0] != 0xff) {
                memcpy(at + slot - 8, crcs, 8);
            }
        }
    }
}

static void make_flash(const uint8_t *data, size_t size, uint8_t options)
{
    static const uint16_t units[4] = {4, 8, 16, 32};
    ram_flash_init(&flash, SECTOR_BYTES, SECTORS, units[options & 3]);
    for (size_t i = 0; i < SECTOR_BYTES * SECTORS && size > 0; ++i) {
        flash.bytes[i] = data[i % size];
    }
    config.flash = &flash.flash;
    config.model_sha256 = sha256;
    config.key = options & 4 ? key : NULL;
    config.dim = DIM;
    if (options & 8) {
        mend();
    }
    for (uint32_t i = 0; i < SECTOR_BYTES * SECTORS; ++i) {
        flash.spent[i / flash.flash.program_bytes] |= flash.bytes[i] != 0xff;
    }
}

static esv_status mount(void) { return esv_store_mount(&store, &config, memory, sizeof memory); }

static void check_list(void)
{
    esv_store_print print;
    uint32_t cursor = 0, count = 0, recordings;
    float embedding[DIM];
    esv_store_usage usage;
    while (esv_store_next(&store, &cursor, &print) == ESV_OK) {
        ++count;
        (void)esv_store_get(&store, print.name, &recordings, embedding);
    }
    require(esv_store_measure(&store, &usage) != ESV_OK || (usage.prints == count && count <= usage.capacity));
}

static void operate(uint8_t what, const char *name)
{
    const float written[DIM] = {what, 1.0f, 2.0f, 3.0f};
    float read[DIM];
    uint32_t recordings = 0;
    if (what % 8 < 5) {
        const esv_status status = esv_store_put(&store, name, what, written);
        require(status == ESV_OK || status == ESV_ERR_STORE_FULL || store.state != ESV_OK);
        if (status == ESV_OK) {
            require((what & 64) == 0 || mount() == ESV_OK);
            require(esv_store_get(&store, name, &recordings, read) == ESV_OK && recordings == what);
            require(memcmp(read, written, sizeof read) == 0);
        }
    } else if (what % 8 == 5) {
        const esv_status status = esv_store_wipe(&store, name);
        require(status == ESV_OK || status == ESV_ERR_NO_PRINT || store.state != ESV_OK);
        require(status != ESV_OK || esv_store_get(&store, name, &recordings, read) == ESV_ERR_NO_PRINT);
    } else if (what % 8 == 6) {
        require(esv_store_wipe(&store, NULL) == ESV_OK);
        require(esv_store_get(&store, name, &recordings, NULL) == ESV_ERR_NO_PRINT);
    } else {
        const esv_status before = store.state;
        require(mount() == before);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || (size_t)data[1] % 32 * 2 + 2 > size) {
        return 0;
    }
    const size_t operations = data[1] % 32;
    make_flash(data + 2 + 2 * operations, size - 2 - 2 * operations, data[0]);
    const esv_status status = mount();
    require(status == ESV_OK || status == ESV_ERR_STORE_MODEL || status == ESV_ERR_STORE_DAMAGED);
    check_list();
    for (size_t i = 0; i < operations; ++i) {
        operate(data[2 + 2 * i], names[data[3 + 2 * i] % NAMES]);
    }
    check_list();
    return 0;
}

#include "esv_store_log.h"

#include <string.h>

#include "esv_crc32.h"
#include "esv_siphash.h"

#define ESV_STORE_MAGIC 0x31565345u /* "ESV1": the format's version is in it */
#define ESV_STORE_CLEAN 0x4e4c4345u /* "ECLN": this sector was erased to the end */
#define ESV_STORE_CRC_BYTES 8u      /* the CRC and its complement */
#define ESV_STORE_CHUNK 32u

/* ---- where things are ---- */

static uint32_t esv_store_round_up(size_t bytes, uint32_t unit) { return ((uint32_t)bytes + unit - 1u) / unit * unit; }

static uint32_t esv_store_mark_bytes(const esv_flash *flash)
{
    return esv_store_round_up(2 * sizeof(uint32_t), flash->program_bytes);
}

static uint32_t esv_store_header_bytes(const esv_flash *flash)
{
    return esv_store_round_up(sizeof(esv_store_header), flash->program_bytes);
}

uint32_t esv_store_head_bytes(const esv_flash *flash)
{
    return esv_store_mark_bytes(flash) + 2u * esv_store_header_bytes(flash);
}

uint32_t esv_store_slot_bytes(const esv_store_config *config)
{
    const size_t bytes = sizeof(esv_store_print) + config->dim * sizeof(float) + ESV_SIPHASH_TAG_BYTES;
    return esv_store_round_up(bytes + ESV_STORE_CRC_BYTES, config->flash->program_bytes);
}

static uint32_t esv_store_sector(const esv_store *self, uint32_t sector)
{
    return sector * self->config.flash->sector_bytes;
}

uint32_t esv_store_offset(const esv_store *self, uint32_t sector, uint32_t slot)
{
    return esv_store_sector(self, sector) + esv_store_head_bytes(self->config.flash) + slot * self->slot_bytes;
}

/* ---- flash ---- */

esv_status esv_store_read(const esv_store *self, uint32_t offset, void *bytes, size_t count)
{
    const esv_flash *flash = self->config.flash;
    return flash->read(flash->context, offset, bytes, count);
}

static bool esv_store_is_blank(const esv_store *self, uint32_t offset, uint32_t end)
{
    uint8_t chunk[ESV_STORE_CHUNK];
    while (offset < end) {
        const uint32_t count = end - offset < ESV_STORE_CHUNK ? end - offset : ESV_STORE_CHUNK;
        if (esv_store_read(self, offset, chunk, count) != ESV_OK) {
            return false;
        }
        for (uint32_t i = 0; i < count; ++i) {
            if (chunk[i] != 0xffu) {
                return false;
            }
        }
        offset += count;
    }
    return true;
}

esv_status esv_store_program(const esv_store *self, uint32_t offset, uint32_t count)
{
    const esv_flash *flash = self->config.flash;
    uint8_t chunk[ESV_STORE_CHUNK];
    const esv_status status = flash->program(flash->context, offset, self->slot, count);
    if (status != ESV_OK) {
        return status;
    }
    for (uint32_t done = 0; done < count; done += ESV_STORE_CHUNK) {
        const uint32_t part = count - done < ESV_STORE_CHUNK ? count - done : ESV_STORE_CHUNK;
        if (esv_store_read(self, offset + done, chunk, part) != ESV_OK || memcmp(chunk, self->slot + done, part) != 0) {
            return ESV_ERR_FLASH;
        }
    }
    return ESV_OK;
}

void esv_store_forget(esv_store *self)
{
    volatile uint8_t *at = self->slot;
    for (uint32_t i = 0; i < self->slot_bytes; ++i) {
        at[i] = 0;
    }
}

/* ---- sectors ---- */

static bool esv_store_is_clean(const esv_store *self, uint32_t sector)
{
    const uint32_t start = esv_store_sector(self, sector);
    const uint32_t end = start + self->config.flash->sector_bytes;
    uint32_t mark[2];
    return esv_store_read(self, start, mark, sizeof mark) == ESV_OK && mark[0] == ESV_STORE_CLEAN &&
           mark[1] == ~ESV_STORE_CLEAN &&
           esv_store_is_blank(self, start + esv_store_mark_bytes(self->config.flash), end);
}

esv_status esv_store_erase(esv_store *self, uint32_t sector)
{
    const esv_flash *flash = self->config.flash;
    const esv_status status = flash->erase(flash->context, esv_store_sector(self, sector));
    if (status != ESV_OK) {
        return status;
    }
    const uint32_t mark[2] = {ESV_STORE_CLEAN, ~ESV_STORE_CLEAN};
    memset(self->slot, 0, esv_store_mark_bytes(flash));
    memcpy(self->slot, mark, sizeof mark);
    const esv_status marked = esv_store_program(self, esv_store_sector(self, sector), esv_store_mark_bytes(flash));
    return marked == ESV_OK && !esv_store_is_clean(self, sector) ? ESV_ERR_FLASH : marked;
}

esv_status esv_store_clean(esv_store *self, uint32_t sector)
{
    return esv_store_is_clean(self, sector) ? ESV_OK : esv_store_erase(self, sector);
}

esv_status esv_store_clean_others(esv_store *self)
{
    for (uint32_t sector = 0; sector < self->config.flash->sector_count; ++sector) {
        const esv_status status = sector == self->active ? ESV_OK : esv_store_clean(self, sector);
        if (status != ESV_OK) {
            return status;
        }
    }
    return ESV_OK;
}

static uint32_t esv_store_header_offset(const esv_store *self, uint32_t sector, uint32_t copy)
{
    const esv_flash *flash = self->config.flash;
    return esv_store_sector(self, sector) + esv_store_mark_bytes(flash) + copy * esv_store_header_bytes(flash);
}

bool esv_store_read_header(const esv_store *self, uint32_t sector, esv_store_header *header)
{
    for (uint32_t copy = 0; copy < 2; ++copy) {
        const uint32_t offset = esv_store_header_offset(self, sector, copy);
        if (esv_store_read(self, offset, header, sizeof *header) == ESV_OK && header->magic == ESV_STORE_MAGIC &&
            header->crc == esv_crc32(header, sizeof *header - sizeof header->crc)) {
            return true;
        }
    }
    return false;
}

esv_status esv_store_write_header(esv_store *self, uint32_t sector, uint32_t sequence)
{
    const uint32_t bytes = esv_store_header_bytes(self->config.flash);
    esv_store_header header;
    memset(&header, 0, sizeof header);
    header.magic = ESV_STORE_MAGIC;
    header.sequence = sequence;
    header.slot_bytes = self->slot_bytes;
    memcpy(header.model_sha256, self->config.model_sha256, sizeof header.model_sha256);
    header.crc = esv_crc32(&header, sizeof header - sizeof header.crc);
    memset(self->slot, 0, bytes);
    memcpy(self->slot, &header, sizeof header);
    for (uint32_t copy = 0; copy < 2; ++copy) {
        const uint32_t offset = esv_store_header_offset(self, sector, copy);
        if (esv_store_is_blank(self, offset, offset + bytes)) {
            (void)esv_store_program(self, offset, bytes);
        }
    }
    const bool written = esv_store_read_header(self, sector, &header) && header.sequence == sequence;
    return written ? ESV_OK : ESV_ERR_FLASH;
}

/* ---- slots ---- */

/* Signs the model's SHA-256 and the slot up to its tag. tag: (16), zeros without a key. */
static void esv_store_sign(const esv_store *self, uint8_t *tag)
{
    const uint32_t end = self->slot_bytes - ESV_STORE_CRC_BYTES - ESV_SIPHASH_TAG_BYTES;
    memset(tag, 0, ESV_SIPHASH_TAG_BYTES);
    if (self->config.key != NULL) {
        esv_siphash(self->config.key, self->slot - ESV_STORE_SHA256_BYTES, ESV_STORE_SHA256_BYTES + end, tag);
    }
}

void esv_store_seal(esv_store *self)
{
    uint8_t *end = self->slot + self->slot_bytes - ESV_STORE_CRC_BYTES;
    esv_store_sign(self, end - ESV_SIPHASH_TAG_BYTES);
    const uint32_t crc = esv_crc32(self->slot, self->slot_bytes - ESV_STORE_CRC_BYTES);
    const uint32_t crcs[2] = {crc, ~crc};
    memcpy(end, crcs, sizeof crcs);
}

/* Tells what is in the slot's memory. */
static esv_slot_state esv_store_examine(const esv_store *self)
{
    const uint8_t *end = self->slot + self->slot_bytes - ESV_STORE_CRC_BYTES;
    uint32_t crcs[2];
    memcpy(crcs, end, sizeof crcs);
    if (crcs[0] != ~crcs[1]) {
        return ESV_SLOT_TORN;
    }
    if (crcs[0] != esv_crc32(self->slot, self->slot_bytes - ESV_STORE_CRC_BYTES)) {
        return ESV_SLOT_DAMAGED;
    }
    uint8_t tag[ESV_SIPHASH_TAG_BYTES];
    esv_store_sign(self, tag);
    const uint8_t *found = end - ESV_SIPHASH_TAG_BYTES;
    uint8_t difference = 0; /* the whole tag, whatever differs: the time tells nothing */
    for (size_t i = 0; i < sizeof tag; ++i) {
        difference = (uint8_t)(difference | (tag[i] ^ found[i]));
    }
    return self->config.key != NULL && difference != 0 ? ESV_SLOT_REFUSED : ESV_SLOT_VALID;
}

esv_slot_state esv_store_load(esv_store *self, uint32_t sector, uint32_t slot)
{
    const uint32_t offset = esv_store_offset(self, sector, slot);
    if (esv_store_read(self, offset, self->slot, self->slot_bytes) != ESV_OK) {
        return ESV_SLOT_UNREADABLE;
    }
    if (esv_store_is_blank(self, offset, offset + self->slot_bytes)) {
        return ESV_SLOT_BLANK;
    }
    return esv_store_examine(self);
}

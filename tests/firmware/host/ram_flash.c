#include "ram_flash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void ram_flash_require(bool condition, const char *rule)
{
    if (!condition) {
        fprintf(stderr, "flash misused: %s\n", rule);
        abort();
    }
}

/* Returns 32 random bits (xorshift). */
static uint32_t ram_flash_random(ram_flash *self)
{
    self->random ^= self->random << 13;
    self->random ^= self->random >> 17;
    self->random ^= self->random << 5;
    return self->random;
}

/* Counts a step; true when the power goes in it. */
static bool ram_flash_step(ram_flash *self)
{
    self->dead = self->dead || self->steps == self->cut_at;
    ++self->steps;
    return self->dead;
}

static esv_status ram_flash_read(void *context, uint32_t offset, void *bytes, size_t count)
{
    ram_flash *self = (ram_flash *)context;
    ram_flash_require(offset <= RAM_FLASH_BYTES && count <= RAM_FLASH_BYTES - offset, "read outside");
    if (self->dead) {
        return ESV_ERR_FLASH;
    }
    for (size_t i = 0; i < count; ++i) {
        if (self->unstable[(offset + i) / self->flash.program_bytes]) {
            return ESV_ERR_FLASH;
        }
    }
    memcpy(bytes, self->bytes + offset, count);
    return ESV_OK;
}

static void ram_flash_cut_unit(ram_flash *self, uint32_t offset, const uint8_t *bytes)
{
    if (self->cut == RAM_FLASH_CUT_BEFORE) {
        return;
    }
    const bool changed = ram_flash_random(self) % 4 != 0;
    for (uint32_t i = 0; i < self->flash.program_bytes && changed; ++i) {
        self->bytes[offset + i] &= (uint8_t)(bytes[i] | ram_flash_random(self));
    }
    self->spent[offset / self->flash.program_bytes] = 1;
    self->unstable[offset / self->flash.program_bytes] = self->cut == RAM_FLASH_CUT_UNSTABLE;
}

static bool ram_flash_unit_is_blank(const ram_flash *self, uint32_t offset)
{
    bool blank = true;
    for (uint32_t i = 0; i < self->flash.program_bytes; ++i) {
        blank = blank && self->bytes[offset + i] == 0xff;
    }
    return blank;
}

static esv_status ram_flash_program(void *context, uint32_t offset, const void *bytes, size_t count)
{
    ram_flash *self = (ram_flash *)context;
    const uint32_t unit = self->flash.program_bytes;
    ram_flash_require(offset % unit == 0 && count % unit == 0, "programming units in part");
    ram_flash_require((uintptr_t)bytes % 16 == 0, "source not aligned");
    ram_flash_require(offset + count <= self->flash.sector_bytes * self->flash.sector_count, "program outside");
    for (size_t done = 0; done < count && !self->dead; done += unit) {
        const uint32_t at = offset + (uint32_t)done;
        ram_flash_require(!self->weak[at / self->flash.sector_bytes], "programming a half-erased sector");
        if (ram_flash_step(self)) {
            ram_flash_cut_unit(self, at, (const uint8_t *)bytes + done);
        } else if (self->spent[at / unit]) { /* cut before its first bit changed, so that nobody could see it */
            ram_flash_require(ram_flash_unit_is_blank(self, at), "unit programmed twice");
            return ESV_ERR_FLASH;
        } else {
            memcpy(self->bytes + at, (const uint8_t *)bytes + done, unit);
            self->spent[at / unit] = 1;
        }
    }
    return self->dead ? ESV_ERR_FLASH : ESV_OK;
}

/* Leaves each byte as it was, erased, or anything; the whole sector, one time in four, as if erased. */
static void ram_flash_cut_erase(ram_flash *self, uint32_t offset)
{
    if (self->cut == RAM_FLASH_CUT_BEFORE) {
        return;
    }
    const uint32_t unit = self->flash.program_bytes;
    const bool looks_done = ram_flash_random(self) % 4 == 0;
    for (uint32_t i = 0; i < self->flash.sector_bytes; ++i) {
        const uint32_t kind = looks_done ? 0 : ram_flash_random(self) % 3;
        if (kind < 2) {
            self->bytes[offset + i] = kind == 0 ? 0xff : (uint8_t)ram_flash_random(self);
        }
        if (self->cut == RAM_FLASH_CUT_UNSTABLE && kind == 1) {
            self->unstable[(offset + i) / unit] = 1;
        }
    }
    self->weak[offset / self->flash.sector_bytes] = 1;
}

static esv_status ram_flash_erase(void *context, uint32_t offset)
{
    ram_flash *self = (ram_flash *)context;
    const uint32_t bytes = self->flash.sector_bytes;
    ram_flash_require(offset % bytes == 0 && offset / bytes < self->flash.sector_count, "erasing no sector");
    if (self->dead) {
        return ESV_ERR_FLASH;
    }
    if (ram_flash_step(self)) {
        ram_flash_cut_erase(self, offset);
        return ESV_ERR_FLASH;
    }
    memset(self->bytes + offset, 0xff, bytes);
    memset(self->spent + offset / self->flash.program_bytes, 0, bytes / self->flash.program_bytes);
    memset(self->unstable + offset / self->flash.program_bytes, 0, bytes / self->flash.program_bytes);
    self->weak[offset / bytes] = 0;
    ++self->erases[offset / bytes];
    return ESV_OK;
}

void ram_flash_init(ram_flash *self, uint32_t sector_bytes, uint16_t sector_count, uint16_t program_bytes)
{
    ram_flash_require(sector_bytes * sector_count <= RAM_FLASH_BYTES && sector_count <= RAM_FLASH_SECTORS, "too large");
    memset(self, 0, sizeof *self);
    memset(self->bytes, 0xff, sizeof self->bytes);
    self->flash.context = self;
    self->flash.read = ram_flash_read;
    self->flash.program = ram_flash_program;
    self->flash.erase = ram_flash_erase;
    self->flash.sector_bytes = sector_bytes;
    self->flash.sector_count = sector_count;
    self->flash.program_bytes = program_bytes;
    self->random = 2463534242u;
    ram_flash_power_up(self, UINT64_MAX);
}

void ram_flash_power_up(ram_flash *self, uint64_t steps_to_cut)
{
    self->dead = false;
    self->cut_at = steps_to_cut == UINT64_MAX ? UINT64_MAX : self->steps + steps_to_cut;
}

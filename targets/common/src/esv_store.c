#include "esv_store.h"

#include <string.h>

#include "esv_store_log.h"

static bool esv_store_is_named(const esv_store *self, uint32_t slot, const char *name)
{
    char found[ESV_STORE_NAME_BYTES];
    const uint32_t offset = esv_store_offset(self, self->active, slot);
    return esv_store_read(self, offset, found, sizeof found) == ESV_OK && memcmp(found, name, sizeof found) == 0;
}

/* Loads the newest print of a name and tells its slot. name: (28), padded with zeros. Without one, says why. */
static esv_status esv_store_find(esv_store *self, const char *name, uint32_t *slot)
{
    esv_status status = ESV_ERR_NO_PRINT;
    for (uint32_t i = self->used; i-- > 0;) {
        if (!esv_store_is_named(self, i, name)) {
            continue;
        }
        const esv_slot_state state = esv_store_load(self, self->active, i);
        if (state == ESV_SLOT_VALID) {
            *slot = i;
            return ESV_OK;
        }
        if (status == ESV_ERR_NO_PRINT && state > ESV_SLOT_TORN) {
            status = state == ESV_SLOT_REFUSED ? ESV_ERR_PRINT_REFUSED : ESV_ERR_PRINT_DAMAGED;
        }
    }
    return status;
}

/* Loads a slot if it holds a print that counts: sound, and the newest of its name. */
static bool esv_store_load_live(esv_store *self, uint32_t slot)
{
    char name[ESV_STORE_NAME_BYTES];
    if (esv_store_load(self, self->active, slot) != ESV_SLOT_VALID) {
        return false;
    }
    memcpy(name, self->slot, sizeof name);
    uint32_t newest = slot;
    return esv_store_find(self, name, &newest) == ESV_OK && newest == slot;
}

/* Puts a print into the slot's memory. name: (28), padded with zeros; embedding: (dim). */
static void esv_store_compose(esv_store *self, const char *name, uint32_t recordings, const float *embedding)
{
    memset(self->slot, 0, self->slot_bytes);
    memcpy(self->slot, name, ESV_STORE_NAME_BYTES);
    memcpy(self->slot + ESV_STORE_NAME_BYTES, &recordings, sizeof recordings);
    memcpy(self->slot + sizeof(esv_store_print), embedding, self->config.dim * sizeof(float));
    esv_store_seal(self);
}

/* ---- moving ---- */

/* Copies the prints that count to a clean sector, but for those of a name. name: (28). */
static esv_status esv_store_copy(esv_store *self, uint32_t target, const char *name, uint32_t *written)
{
    for (uint32_t i = 0; i < self->used; ++i) {
        if (!esv_store_load_live(self, i) || memcmp(self->slot, name, ESV_STORE_NAME_BYTES) == 0) {
            continue;
        }
        const esv_status status = esv_store_program(self, esv_store_offset(self, target, *written), self->slot_bytes);
        if (status != ESV_OK) {
            return status;
        }
        ++*written;
    }
    return ESV_OK;
}

/* Fills a clean sector: the prints that count but for those of a name (null: none) and, unless embedding is null, a new
 * print of that name. The header makes it so; until it is written nothing has happened. */
static esv_status esv_store_fill(esv_store *self, uint32_t target, const char *name, uint32_t recordings,
                                 const float *embedding, uint32_t *written)
{
    esv_status status = ESV_OK;
    *written = 0;
    if (name != NULL) {
        status = esv_store_copy(self, target, name, written);
    }
    if (status == ESV_OK && embedding != NULL) {
        esv_store_compose(self, name, recordings, embedding);
        status = esv_store_program(self, esv_store_offset(self, target, (*written)++), self->slot_bytes);
    }
    return status == ESV_OK ? esv_store_write_header(self, target, self->sequence + 1u) : status;
}

/* Fills the next sector, makes it the active one and erases the others. */
static esv_status esv_store_move(esv_store *self, const char *name, uint32_t recordings, const float *embedding)
{
    const uint32_t target = (self->active + 1u) % self->config.flash->sector_count;
    uint32_t written = 0;
    esv_status status = esv_store_clean(self, target);
    if (status == ESV_OK) {
        status = esv_store_fill(self, target, name, recordings, embedding, &written);
        if (status == ESV_ERR_FLASH) { /* it looked clean and was not: a power cut can leave that */
            status = esv_store_erase(self, target);
            if (status == ESV_OK) {
                status = esv_store_fill(self, target, name, recordings, embedding, &written);
            }
        }
    }
    if (status != ESV_OK) {
        return status;
    }
    self->active = (uint16_t)target;
    self->sequence += 1u;
    self->used = written;
    self->state = ESV_OK;
    return esv_store_clean_others(self);
}

/* ---- mounting ---- */

static bool esv_store_find_active(esv_store *self, esv_store_header *newest)
{
    bool found = false;
    for (uint32_t sector = 0; sector < self->config.flash->sector_count; ++sector) {
        esv_store_header header;
        if (!esv_store_read_header(self, sector, &header)) {
            continue;
        }
        if (!found || header.sequence - newest->sequence - 1u < 0x7fffffffu) { /* later, also past the wrap */
            *newest = header;
            self->active = (uint16_t)sector;
            found = true;
        }
    }
    return found;
}

/* Whether any sector holds what was once a whole print. */
static bool esv_store_holds_prints(esv_store *self)
{
    for (uint32_t sector = 0; sector < self->config.flash->sector_count; ++sector) {
        for (uint32_t slot = 0; slot < self->num_slots; ++slot) {
            if (esv_store_load(self, sector, slot) > ESV_SLOT_UNREADABLE) {
                return true;
            }
        }
    }
    return false;
}

static esv_status esv_store_open(esv_store *self)
{
    esv_store_header header;
    if (!esv_store_find_active(self, &header)) {
        self->active = (uint16_t)(self->config.flash->sector_count - 1u);
        return esv_store_holds_prints(self) ? ESV_ERR_STORE_DAMAGED : esv_store_move(self, NULL, 0, NULL);
    }
    self->sequence = header.sequence;
    if (header.slot_bytes != self->slot_bytes ||
        memcmp(header.model_sha256, self->config.model_sha256, sizeof header.model_sha256) != 0) {
        return ESV_ERR_STORE_MODEL;
    }
    for (uint32_t slot = self->num_slots; slot > 0 && self->used == 0; --slot) {
        if (esv_store_load(self, self->active, slot - 1u) != ESV_SLOT_BLANK) {
            self->used = slot;
        }
    }
    (void)esv_store_write_header(self, self->active, self->sequence); /* one sound copy was there already */
    return esv_store_clean_others(self);
}

static bool esv_store_is_possible(const esv_store_config *config)
{
    const esv_flash *flash = config->flash;
    if (flash == NULL || config->model_sha256 == NULL || config->dim == 0 || flash->program_bytes == 0 ||
        flash->program_bytes > ESV_STORE_MAX_PROGRAM_BYTES ||
        (flash->program_bytes & (flash->program_bytes - 1)) != 0) {
        return false;
    }
    return flash->sector_count >= 2 && flash->sector_bytes % flash->program_bytes == 0 &&
           flash->sector_bytes <= UINT32_MAX / flash->sector_count &&
           flash->sector_bytes >= esv_store_head_bytes(flash) + esv_store_slot_bytes(config);
}

size_t esv_store_bytes(const esv_store_config *config)
{
    return ESV_STORE_SHA256_BYTES + ESV_ALIGN_UP((size_t)esv_store_slot_bytes(config));
}

esv_status esv_store_mount(esv_store *self, const esv_store_config *config, void *memory, size_t memory_bytes)
{
    if (self == NULL || config == NULL || memory == NULL || !esv_store_is_possible(config)) {
        return ESV_ERR_ARGUMENT;
    }
    if ((uintptr_t)memory % 16 != 0 || memory_bytes < esv_store_bytes(config)) {
        return ESV_ERR_MEMORY;
    }
    memset(self, 0, sizeof *self);
    self->config = *config;
    memcpy(memory, config->model_sha256, ESV_STORE_SHA256_BYTES);
    self->slot = (uint8_t *)memory + ESV_STORE_SHA256_BYTES;
    self->slot_bytes = esv_store_slot_bytes(config);
    self->num_slots = (config->flash->sector_bytes - esv_store_head_bytes(config->flash)) / self->slot_bytes;
    self->state = esv_store_open(self);
    esv_store_forget(self);
    return self->state;
}

/* ---- what callers see ---- */

/* Checks a name and pads it with zeros. padded: (28). */
static esv_status esv_store_check_name(const char *name, char *padded)
{
    size_t length = 0;
    memset(padded, 0, ESV_STORE_NAME_BYTES);
    for (; name[length] != 0; ++length) {
        const unsigned char letter = (unsigned char)name[length];
        if (letter <= ' ' || letter == 0x7f || length + 1 >= ESV_STORE_NAME_BYTES) {
            return ESV_ERR_NAME;
        }
        padded[length] = name[length];
    }
    return length == 0 ? ESV_ERR_NAME : ESV_OK;
}

/* Whether a print of a name fits once the slots of the active sector are spent. */
static bool esv_store_has_room(esv_store *self, const char *name)
{
    uint32_t others = 0;
    for (uint32_t i = 0; i < self->used; ++i) {
        if (esv_store_load_live(self, i) && memcmp(self->slot, name, ESV_STORE_NAME_BYTES) != 0) {
            ++others;
        }
    }
    return others < self->num_slots;
}

esv_status esv_store_put(esv_store *self, const char *name, uint32_t recordings, const float *embedding)
{
    char padded[ESV_STORE_NAME_BYTES];
    if (self == NULL || name == NULL || embedding == NULL) {
        return ESV_ERR_ARGUMENT;
    }
    esv_status status = self->state != ESV_OK ? self->state : esv_store_check_name(name, padded);
    if (status != ESV_OK) {
        return status;
    }
    status = ESV_ERR_FLASH;
    if (self->used < self->num_slots) {
        esv_store_compose(self, padded, recordings, embedding);
        status = esv_store_program(self, esv_store_offset(self, self->active, self->used++), self->slot_bytes);
    }
    if (status == ESV_ERR_FLASH) { /* no slot, or one that looked blank and was not: a power cut can leave that */
        const bool room = esv_store_has_room(self, padded);
        status = room ? esv_store_move(self, padded, recordings, embedding) : ESV_ERR_STORE_FULL;
    }
    esv_store_forget(self);
    return status;
}

esv_status esv_store_get(esv_store *self, const char *name, uint32_t *recordings, float *embedding)
{
    char padded[ESV_STORE_NAME_BYTES];
    uint32_t slot = 0;
    if (self == NULL || name == NULL || recordings == NULL) {
        return ESV_ERR_ARGUMENT;
    }
    esv_status status = self->state != ESV_OK ? self->state : esv_store_check_name(name, padded);
    if (status == ESV_OK) {
        status = esv_store_find(self, padded, &slot);
    }
    if (status == ESV_OK) {
        memcpy(recordings, self->slot + ESV_STORE_NAME_BYTES, sizeof *recordings);
        if (embedding != NULL) {
            memcpy(embedding, self->slot + sizeof(esv_store_print), self->config.dim * sizeof(float));
        }
    }
    esv_store_forget(self);
    return status;
}

esv_status esv_store_next(esv_store *self, uint32_t *cursor, esv_store_print *print)
{
    if (self == NULL || cursor == NULL || print == NULL) {
        return ESV_ERR_ARGUMENT;
    }
    esv_status status = self->state != ESV_OK ? self->state : ESV_ERR_NO_PRINT;
    while (status == ESV_ERR_NO_PRINT && *cursor < self->used) {
        if (esv_store_load_live(self, (*cursor)++)) {
            memcpy(print, self->slot, sizeof *print);
            status = ESV_OK;
        }
    }
    esv_store_forget(self);
    return status;
}

/* Whether any slot carries a name, sound or not. */
static bool esv_store_mentions(const esv_store *self, const char *name)
{
    for (uint32_t i = 0; i < self->used; ++i) {
        if (esv_store_is_named(self, i, name)) {
            return true;
        }
    }
    return false;
}

esv_status esv_store_wipe(esv_store *self, const char *name)
{
    char padded[ESV_STORE_NAME_BYTES];
    if (self == NULL || self->slot == NULL) {
        return ESV_ERR_ARGUMENT;
    }
    esv_status status = ESV_OK;
    if (name != NULL) {
        status = self->state != ESV_OK ? self->state : esv_store_check_name(name, padded);
        if (status == ESV_OK && !esv_store_mentions(self, padded)) {
            status = ESV_ERR_NO_PRINT;
        }
    }
    if (status == ESV_OK) {
        status = esv_store_move(self, name == NULL ? NULL : padded, 0, NULL);
    }
    esv_store_forget(self);
    return status;
}

esv_status esv_store_measure(esv_store *self, esv_store_usage *usage)
{
    if (self == NULL || usage == NULL) {
        return ESV_ERR_ARGUMENT;
    }
    memset(usage, 0, sizeof *usage);
    usage->capacity = self->num_slots;
    for (uint32_t i = 0; i < self->used && self->state == ESV_OK; ++i) {
        usage->prints += esv_store_load_live(self, i);
        usage->spoiled += esv_store_load(self, self->active, i) != ESV_SLOT_VALID;
    }
    esv_store_forget(self);
    return self->state;
}

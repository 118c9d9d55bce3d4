/* Inside esv_store: sectors, their headers and slots on flash. Names and which print counts are esv_store.c's. */
#ifndef ESV_STORE_LOG_H
#define ESV_STORE_LOG_H

#include <stdbool.h>

#include "esv_store.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ESV_STORE_SHA256_BYTES 32u
#define ESV_STORE_MAX_PROGRAM_BYTES 32u

typedef struct {
    uint32_t magic;
    uint32_t sequence;
    uint32_t slot_bytes;
    uint8_t model_sha256[ESV_STORE_SHA256_BYTES];
    uint32_t crc;
} esv_store_header;

typedef enum {
    ESV_SLOT_BLANK,
    ESV_SLOT_TORN,       /* its end was never written */
    ESV_SLOT_UNREADABLE, /* the flash could not read it */
    ESV_SLOT_DAMAGED,    /* it was whole once */
    ESV_SLOT_REFUSED,    /* whole, but not signed with this device's key */
    ESV_SLOT_VALID
} esv_slot_state;

/* Bytes before the first slot of a sector. */
uint32_t esv_store_head_bytes(const esv_flash *flash);

/* Bytes of a slot, whole program units. */
uint32_t esv_store_slot_bytes(const esv_store_config *config);

/* Flash offset of a slot. */
uint32_t esv_store_offset(const esv_store *self, uint32_t sector, uint32_t slot);

/* bytes: (count) */
esv_status esv_store_read(const esv_store *self, uint32_t offset, void *bytes, size_t count);

/* Programs the first count bytes of the slot's memory and reads them back. */
esv_status esv_store_program(const esv_store *self, uint32_t offset, uint32_t count);

/* Forgets the print in memory, in a way that no compiler leaves out. */
void esv_store_forget(esv_store *self);

/* Erases a sector and marks it as erased to the end. Spoils the slot's memory. */
esv_status esv_store_erase(esv_store *self, uint32_t sector);

/* Erases a sector unless it is marked and blank; one that a power cut left half erased may read as blank, and has no
 * mark. Spoils the slot's memory. */
esv_status esv_store_clean(esv_store *self, uint32_t sector);

/* Cleans all sectors but the active one. */
esv_status esv_store_clean_others(esv_store *self);

/* Reads a sector's header; one sound copy of the two is enough. */
bool esv_store_read_header(const esv_store *self, uint32_t sector, esv_store_header *header);

/* Writes the copies of a sector's header that are still blank; one sound copy is enough. Spoils the slot's memory. */
esv_status esv_store_write_header(esv_store *self, uint32_t sector, uint32_t sequence);

/* Completes the slot in memory: tag and CRC. */
void esv_store_seal(esv_store *self);

/* Reads a slot into memory and tells what it is. */
esv_slot_state esv_store_load(esv_store *self, uint32_t sector, uint32_t slot);

#ifdef __cplusplus
}
#endif

#endif /* ESV_STORE_LOG_H */

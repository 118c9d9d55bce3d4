/* Voice prints on flash: a log that loses nothing to a power cut and keeps nothing that was wiped.
 *
 * One sector is active and holds a log of fixed slots, one print each; all other sectors are erased. A print is
 * appended; the newest of a name counts. When the active sector is full, or something must be forgotten, the prints
 * that count move to the next sector, whose header, written last, makes it the active one; then the old one is erased.
 * So the sectors take turns, and one of them must be large enough for all prints.
 *
 * Cut the power anywhere: at the next mount every print that a function called written is there, and the one that was
 * on its way is there whole or not at all. A wipe that was cut short before its commit has not happened; after it, the
 * mount finishes the erasing.
 *
 *     sector  erased mark (8) | header (48) | header again | slot 0 | slot 1 | ... ; each piece fills whole program
 * units header  magic, sequence number, bytes of a slot, SHA-256 of the model, CRC-32 slot    name (28), recordings
 * (4), embedding (4 dim), tag (16), CRC-32, its complement
 *
 * With a device key each slot carries a SipHash-2-4-128 tag over the model's SHA-256 and the print, so a print that
 * somebody else wrote into the flash is refused. Putting back an old copy of this device's own flash is not noticed. */
#ifndef ESV_STORE_H
#define ESV_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "esv_align.h"
#include "esv_port.h"
#include "esv_status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ESV_STORE_NAME_BYTES 28 /* with the final zero */

typedef struct {
    const esv_flash *flash;
    const uint8_t *model_sha256; /* (32) */
    const uint8_t *key;          /* (16), or null */
    uint16_t dim;                /* numbers in an embedding */
} esv_store_config;

typedef struct {
    char name[ESV_STORE_NAME_BYTES];
    uint32_t recordings; /* that the print is the sum of */
} esv_store_print;

typedef struct {
    uint32_t prints;   /* that can be read */
    uint32_t capacity; /* that fit */
    uint32_t spoiled;  /* slots with a damaged, refused or half-written print; they go at the next move */
} esv_store_usage;

/* All fields are the store's own. */
typedef struct {
    esv_store_config config;
    uint8_t *slot; /* (slot_bytes), after the model's SHA-256, so that one call signs both */
    uint32_t slot_bytes;
    uint32_t num_slots; /* in a sector */
    uint32_t used;      /* slots of the active sector that are not blank any more */
    uint32_t sequence;  /* of the active sector */
    uint16_t active;
    esv_status state; /* of the last mount */
} esv_store;

/* Bytes of memory that esv_store_mount takes at most, known to the compiler. */
#define ESV_STORE_BYTES(dim) (32u + ESV_ALIGN_UP((size_t)(dim) * sizeof(float) + 56u + 31u))

/* Returns the bytes of memory that esv_store_mount takes. */
size_t esv_store_bytes(const esv_store_config *config);

/* Finds the prints on flash, finishes what a power cut interrupted, and makes a new store on flash that holds none.
 * memory: 16-byte aligned, the store's for as long as it is used; config is copied, what it points to is not.
 *
 * ESV_ERR_STORE_MODEL and ESV_ERR_STORE_DAMAGED touch nothing; then esv_store_wipe with null is all that works. */
esv_status esv_store_mount(esv_store *self, const esv_store_config *config, void *memory, size_t memory_bytes);

/* Writes a print in place of the one of that name. embedding: (dim). ESV_OK: it survives any power cut from now on. */
esv_status esv_store_put(esv_store *self, const char *name, uint32_t recordings, const float *embedding);

/* Reads a print. embedding: (dim), or null. */
esv_status esv_store_get(esv_store *self, const char *name, uint32_t *recordings, float *embedding);

/* Tells the print at or after a cursor, which starts at 0, and moves it on; ESV_ERR_NO_PRINT after the last one. */
esv_status esv_store_next(esv_store *self, uint32_t *cursor, esv_store_print *print);

/* Erases a print, all its earlier versions included; null: all prints, whatever state the store is in. When it answers
 * ESV_OK their bytes are gone from the flash. */
esv_status esv_store_wipe(esv_store *self, const char *name);

esv_status esv_store_measure(esv_store *self, esv_store_usage *usage);

#ifdef __cplusplus
}
#endif

#endif /* ESV_STORE_H */

#include "esv_features.h"

#include <stdbool.h>

static bool esv_features_fft_possible(const esv_fft_tables *fft)
{
    return fft->window != NULL && fft->turns != NULL && fft->joins != NULL && fft->order != NULL && fft->size >= 16 &&
           fft->size <= 4096 && (fft->size & (fft->size - 1)) == 0 && fft->window_length >= 1 &&
           fft->window_length <= fft->size && fft->window_shift <= 15 && fft->power_shift <= 31;
}

static bool esv_features_bands_possible(const esv_features_config *config)
{
    if (config->num_mels == 0 || config->segment_bins == NULL || config->rising == NULL || config->first_bin == 0) {
        return false;
    }
    uint32_t bins = config->first_bin;
    for (size_t segment = 0; segment <= config->num_mels; ++segment) {
        bins += config->segment_bins[segment];
    }
    return bins <= config->fft.size / 2u;
}

static bool esv_features_possible(const esv_features_config *config)
{
    return config != NULL && esv_features_fft_possible(&config->fft) && esv_features_bands_possible(config) &&
           config->hop_length >= 1 && config->mean_start != NULL && config->floor > 0 && config->inverse_scale > 0 &&
           config->inverse_scale <= ESV_FEATURES_LARGEST_INVERSE_SCALE && config->low <= config->high;
}

size_t esv_features_bytes(const esv_features_config *config)
{
    if (!esv_features_possible(config)) {
        return 0;
    }
    return ESV_FEATURES_BYTES(config->fft.size, config->fft.window_length, config->num_mels);
}

esv_status esv_features_init(esv_features *self, const esv_features_config *config, void *memory, size_t memory_bytes)
{
    if (self == NULL || config == NULL || memory == NULL) {
        return ESV_ERR_ARGUMENT;
    }
    const size_t needed = esv_features_bytes(config);
    if (needed == 0) {
        return ESV_ERR_CONFIG;
    }
    if (memory_bytes < needed || ((uintptr_t)memory & 15u) != 0) {
        return ESV_ERR_MEMORY;
    }
    uint8_t *place = (uint8_t *)memory;
    self->config = config;
    self->bins = (esv_fft_bin *)(void *)place;
    place += ESV_FEATURES_ALIGN(config->fft.size / 2u * sizeof(esv_fft_bin));
    self->mean = (esv_features_value *)(void *)place;
    place += ESV_FEATURES_ALIGN(config->num_mels * sizeof(esv_features_value));
    self->samples = (int16_t *)(void *)place;
    esv_features_reset(self);
    return ESV_OK;
}

void esv_features_reset(esv_features *self)
{
    const esv_features_config *config = self->config;
    self->samples[config->fft.window_length] = 0; /* the partner of the last sample of an odd window */
    self->filled = 0;
    self->skip = 0;
    self->counted = config->prior_frames < config->horizon_frames ? config->prior_frames : config->horizon_frames;
    for (size_t band = 0; band < config->num_mels; ++band) {
        self->mean[band] = config->mean_start[band];
    }
}

/* Copies from the front, so that samples can move towards it. The C library's may go byte by byte. */
static void esv_features_copy(int16_t *to, const int16_t *from, size_t count)
{
    for (; count >= 4; count -= 4, to += 4, from += 4) {
        to[0] = from[0];
        to[1] = from[1];
        to[2] = from[2];
        to[3] = from[3];
    }
    for (; count > 0; --count) {
        *to++ = *from++;
    }
}

/* Moves on by a hop; the end of this window is the start of the next one. */
static void esv_features_hop(esv_features *self)
{
    const uint16_t window = self->config->fft.window_length;
    const uint16_t hop = self->config->hop_length;
    const uint16_t kept = hop < window ? (uint16_t)(window - hop) : 0;
    esv_features_copy(self->samples, self->samples + hop, kept);
    self->filled = kept;
    self->skip = hop > window ? (uint16_t)(hop - window) : 0;
}

static size_t esv_features_smaller(size_t a, size_t b) { return a < b ? a : b; }

esv_status esv_features_next(esv_features *self, const int16_t **pcm, size_t *num_samples, int8_t *frame)
{
    const uint16_t window = self->config->fft.window_length;
    const size_t dropped = esv_features_smaller(self->skip, *num_samples);
    self->skip = (uint16_t)(self->skip - dropped);
    const size_t taken = esv_features_smaller((size_t)(window - self->filled), *num_samples - dropped);
    esv_features_copy(&self->samples[self->filled], *pcm + dropped, taken);
    self->filled = (uint16_t)(self->filled + taken);
    *pcm += dropped + taken;
    *num_samples -= dropped + taken;
    if (self->filled < window) {
        return ESV_MORE;
    }
    esv_features_compute(self, frame);
    esv_features_hop(self);
    return ESV_OK;
}

#include "esv.h"

#include <float.h>
#include <string.h>

#include "esv_embedding.h"

typedef enum { ESV_IDLE, ESV_RECORDING, ESV_FINISHED } esv_phase;

struct esv {
    esv_config config;
    esv_features features;
    esv_segments segments;
    esv_gate gate;
    esv_store store;
    esv_status store_status; /* ESV_OK: mounted, or the store's own state says why not */
    esv_phase phase;
    float threshold;
    float *embedding; /* (embedding_dim) of the finished recording */
    float *print;     /* (embedding_dim), zeros between calls */
    float *nearest;   /* (top_n) */
    int8_t *frame;    /* (num_mels) */
};

/* The compiler refuses an array of -1 when ESV_OBJECT_BYTES must be raised. */
typedef char esv_object_fits[sizeof(struct esv) <= ESV_OBJECT_BYTES && ESV_OBJECT_BYTES % 16 == 0 ? 1 : -1];

static bool esv_is_possible(const esv_config *config)
{
    if (config == NULL || config->net == NULL || config->features == NULL || config->hop_frames == 0) {
        return false;
    }
    const esv_net *net = config->net;
    const esv_score_cohort *cohort = config->cohort;
    return net->frames > 0 && net->embedding_dim > 0 && net->num_mels == config->features->num_mels &&
           esv_features_bytes(config->features) > 0 &&
           (cohort == NULL || (cohort->dim == net->embedding_dim && config->top_n > 0));
}

size_t esv_bytes(const esv_config *config)
{
    if (!esv_is_possible(config)) {
        return 0;
    }
    const esv_net *net = config->net;
    return ESV_BYTES(net->state_bytes, esv_features_bytes(config->features), net->frames, net->num_mels,
                     net->embedding_dim, config->cohort == NULL ? 0u : config->top_n);
}

/* Takes bytes from the front of a memory block. */
static void *esv_carve(uint8_t **at, size_t bytes)
{
    void *taken = *at;
    *at += ESV_ALIGN_UP(bytes);
    return taken;
}

static esv_status esv_mount(esv *self, void *memory)
{
    const esv_port *port = self->config.port;
    const esv_net *net = self->config.net;
    if (port == NULL || port->flash == NULL) {
        return ESV_ERR_NO_STORE;
    }
    const esv_store_config config = {port->flash, net->model_sha256, port->device_key, net->embedding_dim};
    return esv_store_mount(&self->store, &config, memory, ESV_STORE_BYTES(net->embedding_dim));
}

/* Gives every part its memory, from `at` on, and prepares it. */
static esv_status esv_prepare(esv *self, uint8_t *at)
{
    const esv_config *config = &self->config;
    const size_t embedding_bytes = config->net->embedding_dim * sizeof(float);
    const size_t segment_bytes = esv_segments_bytes(config->net);
    const size_t feature_bytes = esv_features_bytes(config->features);
    self->frame = (int8_t *)esv_carve(&at, config->net->num_mels);
    self->embedding = (float *)esv_carve(&at, embedding_bytes);
    self->print = (float *)esv_carve(&at, embedding_bytes);
    self->nearest = (float *)esv_carve(&at, config->cohort == NULL ? 0 : config->top_n * sizeof(float));
    void *segments = esv_carve(&at, segment_bytes);
    void *features = esv_carve(&at, feature_bytes);
    esv_status status = esv_features_init(&self->features, config->features, features, feature_bytes);
    if (status == ESV_OK) {
        status = esv_segments_init(&self->segments, config->net, config->hop_frames, segments, segment_bytes);
    }
    if (status == ESV_OK) {
        self->store_status = esv_mount(self, at);
        status = self->store_status == ESV_ERR_ARGUMENT ? ESV_ERR_CONFIG : ESV_OK; /* the flash's layout */
    }
    return status;
}

esv_status esv_init(esv **self, const esv_config *config, void *memory, size_t memory_bytes)
{
    if (self == NULL || config == NULL || memory == NULL) {
        return ESV_ERR_ARGUMENT;
    }
    *self = NULL;
    const size_t needed = esv_bytes(config);
    if (needed == 0) {
        return ESV_ERR_CONFIG;
    }
    if ((uintptr_t)memory % 16 != 0 || memory_bytes < needed) {
        return ESV_ERR_MEMORY;
    }
    memset(memory, 0, needed);
    uint8_t *at = (uint8_t *)memory;
    esv *made = (esv *)esv_carve(&at, ESV_OBJECT_BYTES);
    made->config = *config;
    made->threshold = config->threshold;
    const esv_status status = esv_prepare(made, at);
    *self = status == ESV_OK ? made : NULL;
    return status;
}

esv_status esv_begin(esv *self)
{
    if (self == NULL) {
        return ESV_ERR_ARGUMENT;
    }
    memset(self->embedding, 0, self->config.net->embedding_dim * sizeof(float));
    esv_features_reset(&self->features);
    esv_segments_begin(&self->segments);
    esv_gate_begin(&self->gate, &self->config.gate, self->config.features->hop_length);
    self->phase = ESV_RECORDING;
    return ESV_OK;
}

esv_status esv_feed(esv *self, const int16_t *pcm, size_t count)
{
    if (self == NULL || (pcm == NULL && count > 0)) {
        return ESV_ERR_ARGUMENT;
    }
    esv_status status = self->phase == ESV_RECORDING ? ESV_OK : ESV_ERR_ORDER;
    while (status == ESV_OK && count > 0) {
        const int16_t *before = pcm;
        const esv_status framed = esv_features_next(&self->features, &pcm, &count, self->frame);
        esv_gate_push(&self->gate, before, (size_t)(pcm - before));
        if (framed == ESV_OK && esv_gate_is_open(&self->gate)) {
            status = esv_segments_push(&self->segments, self->frame);
        } else if (framed < ESV_OK) {
            status = framed;
        }
    }
    if (status != ESV_OK && self->phase == ESV_RECORDING) {
        self->phase = ESV_IDLE; /* a recording with a hole is none */
    }
    return status;
}

esv_status esv_finish(esv *self, float *embedding)
{
    if (self == NULL) {
        return ESV_ERR_ARGUMENT;
    }
    if (self->phase != ESV_RECORDING) {
        return ESV_ERR_ORDER;
    }
    self->phase = ESV_IDLE;
    esv_status status = esv_gate_check(&self->gate);
    if (status == ESV_OK) {
        status = esv_segments_finish(&self->segments, self->embedding);
    }
    if (status == ESV_OK) {
        self->phase = ESV_FINISHED;
        if (embedding != NULL) {
            memcpy(embedding, self->embedding, self->config.net->embedding_dim * sizeof(float));
        }
    }
    return status;
}

/* Says why nothing can be done with a print, ESV_OK when it can. */
static esv_status esv_check_ready(const esv *self)
{
    if (self->store_status == ESV_ERR_NO_STORE) {
        return ESV_ERR_NO_STORE;
    }
    return self->phase == ESV_FINISHED ? ESV_OK : ESV_ERR_ORDER;
}

/* Forgets the print in memory, in a way that no compiler leaves out. */
static void esv_forget(esv *self)
{
    volatile float *print = self->print;
    for (size_t i = 0; i < self->config.net->embedding_dim; ++i) {
        print[i] = 0.0f;
    }
}

esv_status esv_enroll(esv *self, const char *name, uint32_t *recordings)
{
    if (self == NULL || name == NULL) {
        return ESV_ERR_ARGUMENT;
    }
    uint32_t count = 0;
    esv_status status = esv_check_ready(self);
    if (status == ESV_OK) {
        status = esv_store_get(&self->store, name, &count, self->print);
        if (status == ESV_ERR_NO_PRINT || status == ESV_ERR_PRINT_DAMAGED) { /* a new one; the print is zeros */
            status = ESV_OK;
        }
    }
    if (status == ESV_OK) {
        esv_embedding_add(self->print, self->embedding, self->config.net->embedding_dim);
        status = esv_store_put(&self->store, name, ++count, self->print);
    }
    if (status == ESV_OK) {
        self->phase = ESV_IDLE;
        if (recordings != NULL) {
            *recordings = count;
        }
    }
    esv_forget(self);
    return status;
}

esv_status esv_verify(esv *self, const char *name, esv_decision *decision)
{
    if (self == NULL || name == NULL || decision == NULL) {
        return ESV_ERR_ARGUMENT;
    }
    uint32_t recordings = 0;
    esv_status status = esv_check_ready(self);
    if (status == ESV_OK) {
        status = esv_store_get(&self->store, name, &recordings, self->print);
    }
    if (status == ESV_OK) {
        const esv_config *config = &self->config;
        decision->score =
            config->cohort == NULL
                ? esv_score_cosine(self->print, self->embedding, config->net->embedding_dim)
                : esv_score_as_norm(self->print, self->embedding, config->cohort, config->top_n, self->nearest);
        decision->threshold = self->threshold;
        decision->accepted = decision->score >= self->threshold;
    }
    esv_forget(self);
    return status;
}

esv_status esv_next(esv *self, uint32_t *cursor, esv_store_print *print)
{
    if (self == NULL) {
        return ESV_ERR_ARGUMENT;
    }
    return self->store_status == ESV_ERR_NO_STORE ? ESV_ERR_NO_STORE : esv_store_next(&self->store, cursor, print);
}

esv_status esv_wipe(esv *self, const char *name)
{
    if (self == NULL) {
        return ESV_ERR_ARGUMENT;
    }
    return self->store_status == ESV_ERR_NO_STORE ? ESV_ERR_NO_STORE : esv_store_wipe(&self->store, name);
}

esv_status esv_measure(esv *self, esv_store_usage *usage)
{
    if (self == NULL || usage == NULL) {
        return ESV_ERR_ARGUMENT;
    }
    memset(usage, 0, sizeof *usage);
    return self->store_status == ESV_ERR_NO_STORE ? ESV_ERR_NO_STORE : esv_store_measure(&self->store, usage);
}

float esv_threshold(const esv *self) { return self->threshold; }

esv_status esv_set_threshold(esv *self, float threshold)
{
    if (self == NULL || !(threshold >= -FLT_MAX && threshold <= FLT_MAX)) {
        return ESV_ERR_ARGUMENT;
    }
    self->threshold = threshold;
    return ESV_OK;
}

const esv_config *esv_configuration(const esv *self) { return &self->config; }

const char *esv_version(void) { return ESV_VERSION; }

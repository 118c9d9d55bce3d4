/* Instructions and stack. */
#include "emulator.h"

#define SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018u)
#define SYST_ENABLE_PROCESSOR_CLOCK_INTERRUPT 7u
#define SYST_PERIOD 0x1000000u /* 2^24 counts, all that it can hold */
#define STACK_PATTERN 0xA5C3A5C3u
#define STACK_OWN_WORDS 16 /* what painting itself may push */

extern uint32_t emulator_stack_limit[]; /* lowest word */

void emulator_tick(void);

static volatile uint32_t emulator_periods;
static uint32_t *emulator_painted; /* where the paint ends and the stack of the caller begins */

void emulator_tick(void) { ++emulator_periods; }

void emulator_clock_start(void)
{
    emulator_periods = 0;
    SYST_RVR = SYST_PERIOD - 1u;
    SYST_CVR = 0;
    SYST_CSR = SYST_ENABLE_PROCESSOR_CLOCK_INTERRUPT;
}

uint64_t emulator_counts(void)
{
    uint32_t periods;
    uint32_t left; /* it counts down */
    do {           /* until no period ends in between */
        periods = emulator_periods;
        left = SYST_CVR;
    } while (periods != emulator_periods);
    return (uint64_t)periods * SYST_PERIOD + (SYST_PERIOD - 1u - left);
}

/* A count takes 1000 / MHz nanoseconds, given as a reduced fraction: no division where it is whole. */
uint64_t emulator_to_instructions(uint64_t counts) { return counts * EMULATOR_COUNT_NS / EMULATOR_COUNT_NS_DIVISOR; }

uint64_t emulator_instructions(void) { return emulator_to_instructions(emulator_counts()); }

static uint32_t *emulator_stack_pointer(void)
{
    uint32_t *pointer;
    __asm__ volatile("mov %0, sp" : "=r"(pointer));
    return pointer;
}

void emulator_stack_paint(void)
{
    emulator_painted = emulator_stack_pointer() - STACK_OWN_WORDS;
    for (uint32_t *word = emulator_stack_limit; word < emulator_painted; ++word) {
        *word = STACK_PATTERN;
    }
}

size_t emulator_stack_used(void)
{
    const uint32_t *word = emulator_stack_limit;
    while (word < emulator_painted && *word == STACK_PATTERN) {
        ++word;
    }
    return (size_t)(emulator_painted - word + STACK_OWN_WORDS) * sizeof *word;
}

/* A device on this computer that reads the line protocol from its standard input and answers on its standard output:
 *
 *     printf 'HELLO\nSTATUS\n' | device [FLAGS]        FLAGS: the sum of those in device.h */
#include <stdio.h>
#include <stdlib.h>

#include "device.h"

int main(int argc, char **argv)
{
    uint8_t bytes[256];
    size_t count;
    const esv_status status = device_make(argc > 1 ? (unsigned)atoi(argv[1]) : 0u);
    if (status != ESV_OK) {
        fprintf(stderr, "%s\n", esv_status_text(status));
        return 1;
    }
    while ((count = fread(bytes, 1, sizeof bytes, stdin)) > 0) {
        device_receive(bytes, count);
        fputs(device_answers, stdout);
        fflush(stdout);
        device_clear_answers();
    }
    return 0;
}

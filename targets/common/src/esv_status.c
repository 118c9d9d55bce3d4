#include "esv_status.h"

#define ESV_STATUS_CASE(name, value, text) \
    case name:                             \
        return text;

const char *esv_status_text(esv_status status)
{
    switch (status) {
        ESV_STATUS_TABLE(ESV_STATUS_CASE)
    }
    return "unknown status";
}

#include "adapters/schedule.h"

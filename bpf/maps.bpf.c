// SPDX-License-Identifier: GPL-2.0
/* The definitions of the maps; bpf/lib is unused here, as nothing is decided. */
#define BALLAST_MAP
#include "bpf/maps.h"

char LICENSE[] SEC("license") = "GPL";

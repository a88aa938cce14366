// abi_library.cc: what can be asked without a device.
#include "guard.h"

#ifndef FLASHPAGE_BUILD_ID
#define FLASHPAGE_BUILD_ID "development"  // scripts/build_native.ts gives the hash of the sources
#endif

FP_API i32 fp_abi_version(void) { return FP_ABI_VERSION; }

FP_API const char *fp_build_id(void) { return FLASHPAGE_BUILD_ID; }

FP_API const char *fp_last_error(void) { return fp::last_error(); }

# SPDX-License-Identifier: BSD-3-Clause
#
# The C code: one library without DPDK (protocol, elements, in-memory ports), one with the DPDK
# port, and a cffi module on top of each. `make native MARCH=x86-64-v3` builds for other machines.

MARCH ?= native
CC := gcc
OPTIMIZE ?= -O3
NATIVE_BUILD := build/native
CORE_MODULE := ftmb/_native/_core.abi3.so
DPDK_MODULE := ftmb/_native/_dpdk.abi3.so
SIMULATOR := ftmb/_native/ftmb-simulator

# What elements outside the tree are compiled with: part of the package, as the modules are.
INTERFACE := $(addprefix ftmb/_native/include/,$(notdir $(filter-out %.cdef.h,\
	$(wildcard native/include/*.h))) $(addprefix arena/,free_list.h hash_table.h timer_wheel.h)) \
	$(patsubst elements/%,ftmb/_native/include/%,$(wildcard elements/matching/*.h))

# `make native-modules SANITIZE=address` (and undefined behaviour) or SANITIZE=thread: the core
# alone, into a folder of its own, which FTMB_NATIVE names to those who import it from there. What
# gcc says of uninitialized variables is not reliable under a sanitizer.
ifdef SANITIZE
SANITIZER_FLAGS := $(if $(filter thread,$(SANITIZE)),-fsanitize=thread,\
	-fsanitize=address,undefined -fno-sanitize-recover=undefined)
NATIVE_BUILD := build/sanitize/$(SANITIZE)
OPTIMIZE := -O1 -fno-omit-frame-pointer -Wno-maybe-uninitialized $(SANITIZER_FLAGS)
CORE_MODULE := $(NATIVE_BUILD)/modules/_core.abi3.so
DPDK_MODULE :=
SIMULATOR := $(NATIVE_BUILD)/ftmb-simulator
export CFLAGS := $(SANITIZER_FLAGS)
endif

# `make native-modules COUNTED=1`: the core alone, for valgrind, which does not know AVX-512; into a
# folder of its own likewise.
ifdef COUNTED
NATIVE_BUILD := build/limits
MARCH := $(if $(filter x86_64,$(shell uname -m)),x86-64-v3,$(MARCH))
CORE_MODULE := $(NATIVE_BUILD)/modules/_core.abi3.so
DPDK_MODULE :=
SIMULATOR :=
endif

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
CORE_FLAGS := -std=gnu11 -D_GNU_SOURCE -march=$(MARCH) $(OPTIMIZE) -g -fPIC -pthread -MMD -MP $(WARNINGS) \
	-Inative -Inative/include -Ielements

PROTOCOL_SOURCES := $(filter-out native/port/dpdk_%.c native/simulator/%.c,$(wildcard native/*/*.c)) \
	$(wildcard elements/*.c elements/*/*.c)
CORE_SOURCES := $(PROTOCOL_SOURCES)
CORE_OBJECTS := $(CORE_SOURCES:%.c=$(NATIVE_BUILD)/%.o)
DPDK_SOURCES := $(wildcard native/port/dpdk_*.c) native/port/address_resolution.c
DPDK_OBJECTS := $(DPDK_SOURCES:%.c=$(NATIVE_BUILD)/%.o)

# The simulator: the same protocol and elements compiled once more, with named points and small
# limits. What the host does for a process (life.c), real ports and the packet generator stay out.
SIMULATOR_SOURCES := $(wildcard native/simulator/*.c) \
	$(filter-out native/host/life.c native/port/%.c native/pktgen/%.c,$(PROTOCOL_SOURCES))
SIMULATOR_OBJECTS := $(SIMULATOR_SOURCES:%.c=$(NATIVE_BUILD)/simulator/%.o)

.PHONY: native-modules
native: native-modules
native-modules: $(INTERFACE) $(CORE_MODULE) $(DPDK_MODULE) $(if $(SANITIZE)$(COUNTED),,$(SIMULATOR))

ftmb/_native/include/arena/%.h: native/arena/%.h
	@mkdir -p $(@D) && cp $< $@
ftmb/_native/include/matching/%.h: elements/matching/%.h
	@mkdir -p $(@D) && cp $< $@
ftmb/_native/include/%.h: native/include/%.h
	@mkdir -p $(@D) && cp $< $@

.PHONY: simulator
simulator: $(SIMULATOR)

$(NATIVE_BUILD)/simulator/%.o: %.c
	@mkdir -p $(@D)
	@echo "  cc      $< (simulator)"
	@$(CC) $(CORE_FLAGS) $(if $(SANITIZE),,-O2) -DFTMB_SIMULATION -c $< -o $@

$(SIMULATOR): $(SIMULATOR_OBJECTS)
	@echo "  link    $@"
	@$(CC) $(CORE_FLAGS) -o $@ $(SIMULATOR_OBJECTS) -lpcap -lhs

$(NATIVE_BUILD)/native/port/dpdk_%.o: native/port/dpdk_%.c
	@mkdir -p $(@D)
	@echo "  cc      $<"
	@$(CC) $(CORE_FLAGS) -Wno-error=deprecated-declarations $$(pkg-config --cflags libdpdk) -c $< -o $@

$(NATIVE_BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  cc      $<"
	@$(CC) $(CORE_FLAGS) -c $< -o $@

$(NATIVE_BUILD)/libftmb_core.a: $(CORE_OBJECTS) native/native.mk
	@rm -f $@ && ar rcs $@ $(filter %.o,$^)

$(NATIVE_BUILD)/libftmb_dpdk.a: $(DPDK_OBJECTS) native/native.mk
	@rm -f $@ && ar rcs $@ $(filter %.o,$^)

$(CORE_MODULE): $(NATIVE_BUILD)/libftmb_core.a ftmb/_native/build.py native/host/interface.map \
	native/include/ftmb_core.cdef.h native/include/ftmb_pktgen.cdef.h
	@echo "  cffi    $@"
	@$(PYTHON) ftmb/_native/build.py core $(NATIVE_BUILD) $(@D)

$(DPDK_MODULE): $(NATIVE_BUILD)/libftmb_dpdk.a ftmb/_native/build.py native/include/ftmb_dpdk.cdef.h
	@echo "  cffi    $@"
	@$(PYTHON) ftmb/_native/build.py dpdk $(NATIVE_BUILD) $(@D)

-include $(CORE_OBJECTS:.o=.d) $(DPDK_OBJECTS:.o=.d) $(SIMULATOR_OBJECTS:.o=.d)

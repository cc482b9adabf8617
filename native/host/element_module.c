/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/element_module.h"

#include <dlfcn.h>
#include <stdio.h>

#include "ftmb_export.h"

/* By the name under which this code was loaded; a program that has it linked in needs nothing. */
static void make_core_visible(void) {
    Dl_info core;
    if (dladdr((void *)element_module_open, &core) != 0) {
        dlopen(core.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
    }
}

const struct ftmb_element_class *element_module_open(const char *path, char *error,
                                                     size_t error_size) {
    make_core_visible();
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL) {
        snprintf(error, error_size, "%s", dlerror());
        return NULL;
    }
    const struct ftmb_element_export *export = dlsym(object, "ftmb_element_export");
    const char *wrong = NULL;
    if (export == NULL) {
        wrong = "it exports no element: end its source with FTMB_EXPORT_ELEMENT(class)";
    } else if (export->abi != FTMB_ELEMENT_ABI || export->layout != FTMB_ELEMENT_LAYOUT) {
        wrong = "it was built with the headers of another version of ftmb: build it again with "
                "those that 'ftmb headers' names";
    }
    if (wrong != NULL) {
        snprintf(error, error_size, "%s", wrong);
        dlclose(object);
        return NULL;
    }
    return export->element;
}

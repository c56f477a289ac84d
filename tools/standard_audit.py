"""The rule for names of the standard library, for `tools/amalgamate --audit`.

A header that uses std::name includes the standard header that declares it, itself or by a header of ours. A compiler
does not find a missing include if another standard header includes the right one, which each library does differently.
"""

import re

from header_tree import TreeError, code_lines, include_order

# The names of each standard header that our headers use. Several headers may declare a name.
DECLARES = {
    "algorithm": "\\w+_of clamp copy count count_if fill find find_if lower_bound max min pop_heap push_heap "
                 "remove_if replace replace_if reverse rotate sort",
    "array": "array get tuple_size tuple_size_v begin end size",
    "atomic": "atomic memory_order_acq_rel memory_order_acquire memory_order_relaxed memory_order_release",
    "bitset": "bitset",
    "charconv": "from_chars to_chars",
    "chrono": "chrono chrono_literals",
    "cmath": "isfinite",
    "condition_variable": "condition_variable",
    "csignal": "sig_atomic_t signal",
    "cstddef": "nullptr_t ptrdiff_t size_t",
    "cstdint": "int32_t int64_t intptr_t uint16_t uint32_t uint64_t uint8_t uintptr_t",
    "cstdio": "fprintf size_t snprintf sscanf",
    "cstdlib": "_Exit abort atexit free getenv size_t",
    "cstring": "memcmp memcpy memmove memset size_t strcmp strerror",
    "ctime": "size_t time time_t tm",
    "deque": "deque",
    "exception": "current_exception exception exception_ptr rethrow_exception set_terminate terminate_handler",
    "functional": "function less",
    "initializer_list": "initializer_list begin end",
    "iterator": "begin end next size",
    "limits": "numeric_limits",
    "list": "list",
    "locale": "locale",
    "map": "map multimap",
    "memory": "addressof enable_shared_from_this make_shared make_unique shared_ptr static_pointer_cast unique_ptr",
    "mutex": "call_once defer_lock lock_guard mutex once_flag try_to_lock unique_lock",
    "new": "bad_alloc nothrow",
    "optional": "nullopt optional",
    "random": "random_device",
    "ratio": "milli ratio ratio_greater_equal_v",
    "set": "set",
    "sstream": "istringstream ostringstream",
    "stdexcept": "invalid_argument length_error logic_error runtime_error",
    "string": "begin end size stoi stoull string to_string u16string wstring",
    "string_view": "begin end size string_view u16string_view wstring_view",
    "system_error": "errc make_error_code system_error",
    "thread": "this_thread thread",
    "tuple": "apply get tuple tuple_cat tuple_element_t tuple_size tuple_size_v",
    "type_traits": "bool_constant conditional_t conjunction_v decay_t enable_if_t false_type invoke_result_t is_\\w+ "
                   "negation remove_cv_t remove_reference_t true_type void_t",
    "utility": "as_const declval exchange forward get in_place_type_t index_sequence index_sequence_for "
               "make_index_sequence move pair swap tuple_element_t tuple_size",
    "variant": "get get_if variant variant_size_v",
    "vector": "begin end size vector",
}


def system_of(name):
    """win or posix, if the header is for one system only."""
    found = re.match(r"winsvc/os/(win|posix)/", name)
    return found.group(1) if found else ""


def audit_standard_names(headers):
    declaring = [(re.compile("|".join(names.split())), f"<{header}>") for header, names in DECLARES.items()]
    for name, header in headers.items():
        try:
            included = {target for other in include_order(headers, name) if system_of(other) in ("", system_of(name))
                        for _, target, _, _ in headers[other].includes}
        except TreeError:
            return                                          # audit_cycles reports it
        seen = set()
        for number, line in enumerate(code_lines(header.lines), start=1):
            for used in re.findall(r"\bstd::(\w+)", line):
                if used in seen:
                    continue
                seen.add(used)
                possible = [target for pattern, target in declaring if pattern.fullmatch(used)]
                if not possible:
                    yield (f"include/{name}:{number}: std::{used} is unknown: add it to DECLARES in "
                           "tools/standard_audit.py")
                elif included.isdisjoint(possible):
                    yield f"include/{name}:{number}: std::{used} without an include of {' or '.join(possible)}"

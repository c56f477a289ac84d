// In place of a header of Visual C++ that the sources of the STL include and that is not part of their repository; and
// what these sources use of a newer Windows SDK.
#pragma once

#include <crtdbg.h>
#include <stdlib.h>
#include <windows.h>

#define _malloc_crt malloc
#define _calloc_crt calloc
#define _free_crt free
#define _malloc_crt_t(type, count) (__crt_unique_heap_ptr<type>(static_cast<type*>(malloc(sizeof(type) * (count)))))
#define _ASSERT_AND_INVOKE_WATSON(condition) \
  {                                          \
    if (!(condition)) abort();               \
  }

#ifndef FILE_DISPOSITION_FLAG_IGNORE_READONLY_ATTRIBUTE
  #define FILE_DISPOSITION_FLAG_IGNORE_READONLY_ATTRIBUTE 0x10
#endif
#ifndef _Analysis_assume_lock_held_
  #define _Analysis_assume_lock_held_(lock)
#endif
#define GetTempPath2W GetTempPathW

/// Owns memory of malloc.
template <class Type>
class __crt_unique_heap_ptr {
 public:
  explicit __crt_unique_heap_ptr(Type* memory = nullptr) noexcept : memory_(memory) {}
  __crt_unique_heap_ptr(const __crt_unique_heap_ptr&) = delete;
  ~__crt_unique_heap_ptr() { free(memory_); }
  __crt_unique_heap_ptr& operator=(__crt_unique_heap_ptr&& other) noexcept {
    Type* const memory = other.memory_;
    other.memory_ = nullptr;
    free(memory_);
    memory_ = memory;
    return *this;
  }
  Type* get() const noexcept { return memory_; }
  explicit operator bool() const noexcept { return memory_ != nullptr; }

 private:
  Type* memory_;
};

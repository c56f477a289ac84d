// The static part of the runtime of Visual C++, for the programs that toolchain.py links. Neither the DLLs of Wine nor
// the sources of the STL contain it: the start of the program, memory, the members of std::exception that the substitute
// of vcruntime_exception.h declares, static and thread-local variables, and the stack probe.
//
// Source: "CRT initialization" and "PE Format" (TLS) in the documentation of Visual C++ and Windows.
#include <vcruntime.h>
#include <vcruntime_exception.h>
#include <vcruntime_new.h>
#include <vcruntime_typeinfo.h>

#include <windows.h>

extern "C" {
struct exception_data {
  const char* what;
  bool is_allocated;
};
void __cdecl __std_exception_copy(const exception_data* from, exception_data* to);
void __cdecl __std_exception_destroy(exception_data* data);
int __cdecl __std_type_info_compare(const void* a, const void* b);
void* __cdecl malloc(size_t size);
void __cdecl free(void* memory);
void* __cdecl _aligned_malloc(size_t size, size_t alignment);
void __cdecl _aligned_free(void* memory);

using initializer = void(__cdecl*)();
void __cdecl _initterm(initializer* first, initializer* last);
int __cdecl _crt_atexit(initializer function);
void __cdecl _set_app_type(int type);
int __cdecl _configure_narrow_argv(int mode);
int __cdecl _initialize_narrow_environment();
int* __cdecl __p___argc();
char*** __cdecl __p___argv();
__declspec(noreturn) void __cdecl exit(int code);

int _fltused = 1;
uintptr_t __security_cookie = 0x2B992DDFA232;
void __cdecl __security_check_cookie(uintptr_t) {}
int __cdecl atexit(initializer function) { return _crt_atexit(function); }
}

// --- memory ----------------------------------------------------------------------------------------------------------

static void* allocate(size_t size) {
  if (void* const memory = malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
static void* allocate(size_t size, std::align_val_t alignment) {
  if (void* const memory = _aligned_malloc(size ? size : 1, static_cast<size_t>(alignment))) return memory;
  throw std::bad_alloc();
}
void* operator new(size_t size) { return allocate(size); }
void* operator new[](size_t size) { return allocate(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return malloc(size ? size : 1); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return malloc(size ? size : 1); }
void* operator new(size_t size, std::align_val_t alignment) { return allocate(size, alignment); }
void* operator new[](size_t size, std::align_val_t alignment) { return allocate(size, alignment); }
void operator delete(void* memory) noexcept { free(memory); }
void operator delete[](void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }
void operator delete[](void* memory, size_t) noexcept { free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { _aligned_free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { _aligned_free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { _aligned_free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { _aligned_free(memory); }

// --- exceptions ------------------------------------------------------------------------------------------------------

/// The members of std::exception after its table of virtual functions.
static exception_data& data_of(const std::exception& object) {
  char* const start = reinterpret_cast<char*>(const_cast<std::exception*>(&object));
  return *reinterpret_cast<exception_data*>(start + sizeof(void*));
}
namespace std {
exception::exception() noexcept { data_of(*this) = {nullptr, false}; }
exception::exception(const char* const what) noexcept {
  const exception_data text = {what, true};
  data_of(*this) = {nullptr, false};
  __std_exception_copy(&text, &data_of(*this));
}
exception::exception(const char* const what, int) noexcept { data_of(*this) = {what, false}; }
exception::exception(const exception& other) noexcept {
  data_of(*this) = {nullptr, false};
  __std_exception_copy(&data_of(other), &data_of(*this));
}
exception& exception::operator=(const exception& other) noexcept {
  if (this == &other) return *this;
  __std_exception_destroy(&data_of(*this));
  __std_exception_copy(&data_of(other), &data_of(*this));
  return *this;
}
exception::~exception() noexcept { __std_exception_destroy(&data_of(*this)); }
const char* exception::what() const { return data_of(*this).what ? data_of(*this).what : "Unknown exception"; }
bad_exception::bad_exception() noexcept : exception("bad exception", 1) {}
bad_alloc::bad_alloc() noexcept : exception("bad allocation", 1) {}
bad_alloc::bad_alloc(const char* const what) noexcept : exception(what, 1) {}
bad_array_new_length::bad_array_new_length() noexcept : bad_alloc("bad array new length") {}
bad_cast::bad_cast() noexcept : exception("bad cast", 1) {}
bad_typeid::bad_typeid() noexcept : exception("bad typeid", 1) {}
}  // namespace std

/// The names of two types follow their tables of virtual functions and their cached names.
bool type_info::operator==(const type_info& other) const noexcept {
  const auto names = [](const type_info& type) { return reinterpret_cast<const char*>(&type) + sizeof(void*); };
  return __std_type_info_compare(names(*this), names(other)) == 0;
}
type_info::~type_info() noexcept {}
extern "C" const void* const table_of_type_info[2] = {};  // no program calls its virtual function
#pragma comment(linker, "/alternatename:??_7type_info@@6B@=table_of_type_info")

// --- static and thread-local variables -------------------------------------------------------------------------------

extern "C" {
int _Init_global_epoch = static_cast<int>(0x80000000);
__declspec(thread) int _Init_thread_epoch = static_cast<int>(0x80000000);
}
static SRWLOCK statics_lock = SRWLOCK_INIT;
static CONDITION_VARIABLE statics_changed = CONDITION_VARIABLE_INIT;

/// `guard` of a static variable: 0 before its initialization, -1 during it, then the epoch in which it ended.
extern "C" void __cdecl _Init_thread_header(int* const guard) noexcept {
  AcquireSRWLockExclusive(&statics_lock);
  while (*guard == -1) SleepConditionVariableSRW(&statics_changed, &statics_lock, INFINITE, 0);
  if (*guard == 0) *guard = -1;
  else _Init_thread_epoch = _Init_global_epoch;
  ReleaseSRWLockExclusive(&statics_lock);
}
static void set_guard(int* const guard, bool is_initialized) noexcept {
  AcquireSRWLockExclusive(&statics_lock);
  *guard = is_initialized ? ++_Init_global_epoch : 0;
  if (is_initialized) _Init_thread_epoch = _Init_global_epoch;
  ReleaseSRWLockExclusive(&statics_lock);
  WakeAllConditionVariable(&statics_changed);
}
extern "C" void __cdecl _Init_thread_footer(int* const guard) noexcept { set_guard(guard, true); }
extern "C" void __cdecl _Init_thread_abort(int* const guard) noexcept { set_guard(guard, false); }

static __declspec(thread) initializer thread_destructors[64];
static __declspec(thread) unsigned thread_destructor_count;
extern "C" int __cdecl __tlregdtor(initializer destructor) {
  if (thread_destructor_count == 64) return -1;
  thread_destructors[thread_destructor_count++] = destructor;
  return 0;
}

// The linker sorts the parts of a section by the text after $: the initializers lie between A and Z.
#pragma section(".CRT$XCA", long, read)
#pragma section(".CRT$XCZ", long, read)
#pragma section(".CRT$XDA", long, read)
#pragma section(".CRT$XDZ", long, read)
#pragma section(".CRT$XIA", long, read)
#pragma section(".CRT$XIZ", long, read)
#pragma section(".CRT$XLA", long, read)
#pragma section(".CRT$XLC", long, read)
#pragma section(".CRT$XLZ", long, read)
#pragma section(".rdata$T", long, read)
extern "C" {
__declspec(allocate(".CRT$XCA")) initializer cpp_first[] = {nullptr};
__declspec(allocate(".CRT$XCZ")) initializer cpp_last[] = {nullptr};
__declspec(allocate(".CRT$XDA")) initializer thread_first[] = {nullptr};
__declspec(allocate(".CRT$XDZ")) initializer thread_last[] = {nullptr};
__declspec(allocate(".CRT$XIA")) initializer c_first[] = {nullptr};
__declspec(allocate(".CRT$XIZ")) initializer c_last[] = {nullptr};

static void NTAPI on_thread(void*, DWORD reason, void*) {
  if (reason == DLL_THREAD_ATTACH) _initterm(thread_first, thread_last);
  if (reason == DLL_THREAD_DETACH)
    while (thread_destructor_count > 0) thread_destructors[--thread_destructor_count]();
}
__declspec(allocate(".CRT$XLA")) PIMAGE_TLS_CALLBACK callback_first = nullptr;
__declspec(allocate(".CRT$XLC")) PIMAGE_TLS_CALLBACK callback_of_threads = on_thread;
__declspec(allocate(".CRT$XLZ")) PIMAGE_TLS_CALLBACK callback_last = nullptr;

unsigned long _tls_index = 0;
#pragma data_seg(".tls")
char _tls_start = 0;
#pragma data_seg(".tls$ZZZ")
char _tls_end = 0;
#pragma data_seg()
extern const IMAGE_TLS_DIRECTORY64 _tls_used;
__declspec(allocate(".rdata$T")) const IMAGE_TLS_DIRECTORY64 _tls_used = {
    reinterpret_cast<ULONGLONG>(&_tls_start),          reinterpret_cast<ULONGLONG>(&_tls_end),
    reinterpret_cast<ULONGLONG>(&_tls_index),          reinterpret_cast<ULONGLONG>(&callback_first + 1), 0, {0}};
}

// A function of msvcp140.dll that Wine does not have.
extern "C" void __cdecl __crtGetSystemTimePreciseAsFileTime(FILETIME* time) { GetSystemTimePreciseAsFileTime(time); }

// --- start -----------------------------------------------------------------------------------------------------------

int main(int argc, char** argv);

extern "C" int mainCRTStartup() {
  _set_app_type(1);  // a console program
  _configure_narrow_argv(1);
  _initialize_narrow_environment();
  _initterm(c_first, c_last);
  _initterm(thread_first, thread_last);
  _initterm(cpp_first, cpp_last);
  exit(main(*__p___argc(), *__p___argv()));
}

// Touches each page of a frame of rax bytes, so that the guard page is not skipped.
__asm__(R"(
.globl __chkstk
__chkstk:
  lea r10, [rsp + 8]
  mov r11, r10
  sub r11, rax
next_page:
  sub r10, 4096
  cmp r10, r11
  jb last_page
  test byte ptr [r10], al
  jmp next_page
last_page:
  test byte ptr [r11], al
  ret
)");

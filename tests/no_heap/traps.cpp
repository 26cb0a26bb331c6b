#include "no_heap/traps.hpp"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#include <atomic>
#include <cstddef>

namespace {

std::atomic<bool> armed{false};
std::atomic<int> heap_calls{0}, free_calls{0}, lock_calls{0};

void count(std::atomic<int>& calls) {
  if (armed.load(std::memory_order_relaxed)) ++calls;
}

/// A lock's function in the C library, which this program's own hides. Looked up late and without a static object's
/// guard, which may itself lock.
template <class... A>
class Hidden {
 public:
  constexpr explicit Hidden(const char* name) : name_(name) {}
  int operator()(A... arguments) {
    count(lock_calls);
    Function* function = function_.load(std::memory_order_relaxed);
    if (!function) function_.store(function = reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name_)));
    return function(arguments...);
  }

 private:
  using Function = int(A...);
  const char* name_;
  std::atomic<Function*> function_{nullptr};
};

constinit Hidden<pthread_mutex_t*> mutex_lock("pthread_mutex_lock"), mutex_trylock("pthread_mutex_trylock");
constinit Hidden<pthread_rwlock_t*> read_lock("pthread_rwlock_rdlock"), write_lock("pthread_rwlock_wrlock");
constinit Hidden<pthread_spinlock_t*> spin_lock("pthread_spin_lock");
constinit Hidden<pthread_cond_t*, pthread_mutex_t*> cond_wait("pthread_cond_wait");
constinit Hidden<pthread_cond_t*> cond_signal("pthread_cond_signal"), cond_broadcast("pthread_cond_broadcast");
constinit Hidden<sem_t*> semaphore_wait("sem_wait");

}  // namespace

extern "C" {

// glibc's own, under the names by which it lets programs replace them.
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t bytes) noexcept { return count(heap_calls), __libc_malloc(bytes); }
void* calloc(std::size_t n, std::size_t bytes) noexcept { return count(heap_calls), __libc_calloc(n, bytes); }
void* realloc(void* old, std::size_t bytes) noexcept { return count(heap_calls), __libc_realloc(old, bytes); }
void* memalign(std::size_t to, std::size_t bytes) noexcept { return count(heap_calls), __libc_memalign(to, bytes); }
void* aligned_alloc(std::size_t to, std::size_t bytes) noexcept { return memalign(to, bytes); }
int posix_memalign(void** result, std::size_t to, std::size_t bytes) noexcept {
  *result = memalign(to, bytes);
  return *result ? 0 : ENOMEM;
}
void free(void* memory) noexcept {
  if (memory) count(free_calls);
  __libc_free(memory);
}

int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept { return mutex_lock(mutex); }
int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept { return mutex_trylock(mutex); }
int pthread_rwlock_rdlock(pthread_rwlock_t* lock) noexcept { return read_lock(lock); }
int pthread_rwlock_wrlock(pthread_rwlock_t* lock) noexcept { return write_lock(lock); }
int pthread_spin_lock(pthread_spinlock_t* lock) noexcept { return spin_lock(lock); }
int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) { return cond_wait(condition, mutex); }
int pthread_cond_signal(pthread_cond_t* condition) noexcept { return cond_signal(condition); }
int pthread_cond_broadcast(pthread_cond_t* condition) noexcept { return cond_broadcast(condition); }
int sem_wait(sem_t* semaphore) { return semaphore_wait(semaphore); }

}  // extern "C"

namespace heed_test {

Trap::Trap() {
  heap_calls = free_calls = lock_calls = 0;
  armed = true;
}
Trap::~Trap() { armed = false; }
int Trap::heap() const { return heap_calls; }
int Trap::frees() const { return free_calls; }
int Trap::locks() const { return lock_calls; }

}  // namespace heed_test

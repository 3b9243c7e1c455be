// What the kernels need of OpenMP, on threads whose beginning and end a sanitizer sees: the runtime
// of torch is built without one.
#include <thread>
#include <vector>

#define HERE __attribute__((visibility("hidden")))

namespace {

thread_local int number = 0;

}  // namespace

extern "C" {

HERE int omp_get_thread_num() { return number; }

HERE void GOMP_parallel(void (*work)(void*), void* data, unsigned threads, unsigned) {
  std::vector<std::thread> others;
  for (unsigned i = 1; i < threads; i++) {
    others.emplace_back([=] {
      number = int(i);
      work(data);
    });
  }
  work(data);
  for (auto& other : others) other.join();
}

}

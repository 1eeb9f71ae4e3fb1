package dev.ebb.pageservice;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.store.ObjectStore;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Lets a store fail: from the n-th write on, as a crash or an outage does, or at one write only;
 * before it takes place, or after, so that only its answer is lost.
 */
public final class FaultyStore implements ObjectStore {
  /** What a write that fails leaves. */
  public enum Mode {
    NOT_DONE,
    DONE_BUT_UNANSWERED
  }

  private final ObjectStore store;
  private final AtomicInteger writes = new AtomicInteger();
  private final AtomicInteger ranges = new AtomicInteger();
  private volatile int failFrom = Integer.MAX_VALUE;
  private volatile int failTo = Integer.MAX_VALUE;
  private volatile Mode mode = Mode.NOT_DONE;
  private volatile boolean away;
  private volatile @Nullable CountDownLatch gate;

  public FaultyStore(ObjectStore store) {
    this.store = store;
  }

  /** Fails the writes numbered {@code from} (the next is 1) to before {@code to}. */
  public void failWrites(int from, int to, Mode how) {
    writes.set(0);
    mode = how;
    failTo = to;
    failFrom = from;
  }

  public void heal() {
    failFrom = Integer.MAX_VALUE;
    away = false;
  }

  /** Everything fails. */
  public void goAway() {
    away = true;
  }

  public int writes() {
    return writes.get();
  }

  public int ranges() {
    return ranges.get();
  }

  /** Ranged reads wait for the latch. */
  public void holdRanges(CountDownLatch latch) {
    gate = latch;
  }

  private <T> T write(Supplier<T> write) {
    int number = writes.incrementAndGet();
    boolean fails = away || (number >= failFrom && number < failTo);
    if (fails && mode == Mode.NOT_DONE) {
      throw new EbbException.Unavailable("injected: not done");
    }
    T result = write.get();
    if (fails) {
      throw new EbbException.Unavailable("injected: done but unanswered");
    }
    return result;
  }

  private void requirePresent() {
    if (away) {
      throw new EbbException.Unavailable("injected: away");
    }
  }

  @Override
  public Optional<Stored> get(String key) {
    requirePresent();
    return store.get(key);
  }

  @Override
  public Optional<byte[]> getRange(String key, long offset, int length) {
    requirePresent();
    ranges.incrementAndGet();
    CountDownLatch latch = gate;
    if (latch != null) {
      try {
        latch.await();
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }
    return store.getRange(key, offset, length);
  }

  @Override
  public Version put(String key, byte[] content) {
    return write(() -> store.put(key, content));
  }

  @Override
  public Optional<Version> putIfAbsent(String key, byte[] content) {
    return write(() -> store.putIfAbsent(key, content));
  }

  @Override
  public Optional<Version> putIfMatch(String key, byte[] content, Version expected) {
    return write(() -> store.putIfMatch(key, content, expected));
  }

  @Override
  public void delete(String key) {
    write(() -> {
      store.delete(key);
      return key;
    });
  }

  @Override
  public List<Listed> list(String prefix) {
    requirePresent();
    return store.list(prefix);
  }

  @Override
  public void close() {
    store.close();
  }
}

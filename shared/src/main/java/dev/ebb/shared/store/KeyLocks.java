package dev.ebb.shared.store;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Mutual exclusion per key between all stores of a directory, in this process and in others: a lock
 * in memory for the threads, a file lock for the processes. Keys share {@link #STRIPES} locks.
 *
 * <p>One object per directory and process, shared and counted: POSIX drops all of a process's locks
 * on a file when it closes any descriptor of it, so that a second descriptor must never exist.
 */
final class KeyLocks implements AutoCloseable {
  private static final int STRIPES = 64;
  private static final Map<Path, KeyLocks> OPEN = new HashMap<>();

  private final Path directory;
  private final Stripe[] stripes = new Stripe[STRIPES];
  private int users;

  private static final class Stripe {
    private final ReentrantLock threads = new ReentrantLock();
    private @Nullable FileChannel file;
  }

  /** What runs under the lock. */
  interface Action<T> {
    T run() throws IOException;
  }

  private KeyLocks(Path directory) {
    this.directory = directory;
    for (int i = 0; i < STRIPES; i++) {
      stripes[i] = new Stripe();
    }
  }

  /** The locks kept in {@code directory}, which exists; to be closed as often as opened. */
  static KeyLocks open(Path directory) throws IOException {
    Path real = directory.toRealPath();
    synchronized (OPEN) {
      KeyLocks locks = OPEN.computeIfAbsent(real, KeyLocks::new);
      locks.users++;
      return locks;
    }
  }

  /** Runs {@code action} while nobody else holds {@code key}'s lock. */
  <T> T locked(String key, Action<T> action) throws IOException {
    int number = Math.floorMod(key.hashCode(), STRIPES);
    Stripe stripe = stripes[number];
    stripe.threads.lock();
    try (FileLock lock = channel(stripe, number).lock()) {
      if (!lock.isValid()) {
        throw new IOException("the lock on " + directory + " was lost");
      }
      return action.run();
    } finally {
      stripe.threads.unlock();
    }
  }

  private FileChannel channel(Stripe stripe, int number) throws IOException {
    FileChannel file = stripe.file;
    if (file == null || !file.isOpen()) { // an interrupted thread closes the channel it locks
      Files.createDirectories(directory);
      file =
          FileChannel.open(
              directory.resolve(Integer.toString(number)),
              StandardOpenOption.CREATE,
              StandardOpenOption.WRITE);
      stripe.file = file;
    }
    return file;
  }

  @Override
  public void close() throws IOException {
    synchronized (OPEN) {
      if (--users > 0) {
        return;
      }
      OPEN.values().remove(this);
      for (Stripe stripe : stripes) {
        if (stripe.file != null) {
          stripe.file.close();
        }
      }
    }
  }
}

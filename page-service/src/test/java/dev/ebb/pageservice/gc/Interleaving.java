package dev.ebb.pageservice.gc;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.store.ObjectStore;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Semaphore;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Runs actors against one store, one operation of one actor at a time: a seed decides who goes on,
 * who stops for long, and who dies before or behind an operation. An actor must have no threads of
 * its own.
 */
final class Interleaving {
  private static final int TRACE = 200;

  /** For so many operations of others an actor may stop. */
  private static final int MAX_STOP = 500;

  private final Random random;
  private final double deaths;
  private final Semaphore back = new Semaphore(0);
  private final List<Actor> running = new ArrayList<>();
  private final Deque<String> trace = new ArrayDeque<>();
  private int died;
  private long steps;

  /** What an actor does, against a store of its own. */
  interface Work {
    void run(ObjectStore store);
  }

  /**
   * @param deaths how likely an actor dies at an operation
   */
  Interleaving(Random random, double deaths) {
    this.random = random;
    this.deaths = deaths;
  }

  /** The process is no more: nothing that it would have done takes place. */
  private static final class Death extends Error {
    private static final long serialVersionUID = 1L;

    Death() {
      super("killed", null, false, false);
    }
  }

  private final class Actor {
    private final String name;
    private final Semaphore go = new Semaphore(0);
    private String next = "";
    private long stoppedUntil;
    private boolean dead;
    private boolean done;
    private @Nullable Throwable failure;

    Actor(String name) {
      this.name = name;
    }

    void start(ObjectStore store, Work work) {
      Thread.ofVirtual()
          .start(() -> {
            go.acquireUninterruptibly();
            try {
              work.run(new Stepped(store, this));
            } catch (EbbException refused) {
              note(name + ": " + refused.getMessage());
            } catch (Throwable e) {
              failure = dead ? null : e;
            }
            done = true;
            back.release();
          });
    }

    <T> T step(String what, Supplier<T> operation) {
      requireAlive();
      next = what;
      back.release();
      go.acquireUninterruptibly();
      boolean dies = random.nextDouble() < deaths;
      if (dies && random.nextBoolean()) {
        die(what + ", not done");
      }
      note(name + ": " + what);
      T result = operation.get();
      if (dies) {
        die(what + ", done");
      }
      return result;
    }

    private void die(String when) {
      note(name + " dies: " + when);
      dead = true;
      died++;
      throw new Death();
    }

    private void requireAlive() {
      if (dead) {
        throw new Death();
      }
    }
  }

  private void note(String what) {
    trace.addLast(what);
    if (trace.size() > TRACE) {
      trace.removeFirst();
    }
  }

  /** The last operations, for a failure. */
  String trace() {
    return String.join("\n", trace);
  }

  int died() {
    return died;
  }

  int running() {
    return running.size();
  }

  void start(String name, ObjectStore store, Work work) {
    var actor = new Actor(name);
    running.add(actor);
    actor.start(store, work);
  }

  /**
   * Lets one of the actors do its next operation.
   *
   * @return whether one has stopped in its stead, right before it would have changed a head
   */
  boolean step() {
    steps++;
    List<Actor> awake = running.stream().filter(actor -> actor.stoppedUntil <= steps).toList();
    List<Actor> some = awake.isEmpty() ? running : awake;
    Actor next = some.get(random.nextInt(some.size()));
    // right before a head is changed is where a stop does most harm
    boolean heads =
        next.next.startsWith("change branches/") || next.next.startsWith("create branches/");
    if (some.size() > 1 && random.nextInt(heads ? 3 : 100) == 0) {
      next.stoppedUntil = steps + random.nextInt(MAX_STOP);
      return heads;
    }
    next.go.release();
    back.acquireUninterruptibly();
    if (next.done) {
      running.remove(next);
      Throwable failure = next.failure;
      if (failure != null) {
        throw new AssertionError(failure.getMessage() + "\n" + trace(), failure);
      }
    }
    return false;
  }

  /** What an actor sees of the store. */
  private static final class Stepped implements ObjectStore {
    private final ObjectStore store;
    private final Actor actor;

    Stepped(ObjectStore store, Actor actor) {
      this.store = store;
      this.actor = actor;
    }

    @Override
    public Optional<Stored> get(String key) {
      return actor.step("get " + key, () -> store.get(key));
    }

    @Override
    public Optional<byte[]> getRange(String key, long offset, int length) {
      return actor.step("range " + key, () -> store.getRange(key, offset, length));
    }

    @Override
    public Version put(String key, byte[] content) {
      return actor.step("put " + key, () -> store.put(key, content));
    }

    @Override
    public Optional<Version> putIfAbsent(String key, byte[] content) {
      return actor.step("create " + key, () -> store.putIfAbsent(key, content));
    }

    @Override
    public Optional<Version> putIfMatch(String key, byte[] content, Version expected) {
      return actor.step("change " + key, () -> store.putIfMatch(key, content, expected));
    }

    @Override
    public void delete(String key) {
      actor.step(
          "delete " + key,
          () -> {
            store.delete(key);
            return key;
          });
    }

    @Override
    public List<Listed> list(String prefix) {
      return actor.step("list " + prefix, () -> store.list(prefix));
    }

    @Override
    public void close() {
      store.close();
    }
  }
}

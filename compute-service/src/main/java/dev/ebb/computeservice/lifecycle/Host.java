package dev.ebb.computeservice.lifecycle;

import dev.ebb.computeservice.pages.PageClient;
import dev.ebb.shared.bus.ComputeMessage.ComputeReady;
import dev.ebb.shared.bus.ComputeMessage.Damage;
import dev.ebb.shared.bus.ComputeMessage.LoginFound;
import dev.ebb.shared.bus.ComputeMessage.RoleFound;
import dev.ebb.shared.bus.ComputeMessage.Suspended;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.HostId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.Manifest;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.function.Consumer;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The computes of this host. Every call blocks; calls for one branch queue behind each other, calls
 * for different branches run side by side.
 */
public final class Host {
  private static final Logger log = LoggerFactory.getLogger(Host.class);

  private final HostId id;
  private final int capacity;
  private final Semaphore room;
  private final BranchHeads heads;
  private final PageClient pages;
  private final PrimaryStarter starter;
  private final Catalog catalog;
  private final Runnable changed;
  private final ConcurrentHashMap<BranchId, Slot> slots = new ConcurrentHashMap<>();
  private volatile boolean leaving;

  /**
   * Makes the host.
   *
   * @param capacity how many computes it runs at most
   * @param catalog says what branches are called
   * @param changed called after every change of what runs here
   */
  public Host(
      HostId id,
      int capacity,
      BranchHeads heads,
      PageClient pages,
      PrimaryStarter starter,
      Catalog catalog,
      Runnable changed) {
    this.id = id;
    this.capacity = capacity;
    this.room = new Semaphore(capacity);
    this.heads = heads;
    this.pages = pages;
    this.starter = starter;
    this.catalog = catalog;
    this.changed = changed;
  }

  public HostId id() {
    return id;
  }

  public int capacity() {
    return capacity;
  }

  /** How many more computes fit. */
  public int room() {
    return leaving ? 0 : room.availablePermits();
  }

  /** Takes the room of one compute; {@code Exhausted} where there is none. */
  void enter() {
    if (leaving) {
      throw new EbbException.Unavailable("this host is stopping; try again");
    }
    if (!room.tryAcquire()) {
      throw new EbbException.Exhausted(
          "all " + capacity + " computes of this host are in use; suspend one or add memory");
    }
  }

  /** Gives it back. */
  void leave() {
    room.release();
  }

  public boolean leaving() {
    return leaving;
  }

  /** Starts the branch's primary unless it runs. */
  public ComputeReady wake(BranchId branch) {
    Slot slot = slot(branch);
    Primary already = slot.running();
    if (already != null && already.use()) {
      return already.ready(id, false);
    }
    return start(slot, primary -> {}).ready();
  }

  /**
   * The same for somebody who found the branch by its name: {@code NotFound} where it is called
   * otherwise by now. See {@link BranchName}.
   */
  public ComputeReady wake(BranchId branch, BranchAddress calledAs) {
    Slot slot = slot(branch);
    Primary already = slot.running();
    if (already == null || !already.use()) {
      Started started = start(slot, primary -> {}, calledAs);
      already = started.primary();
      if (started.ready().started()) {
        return started.ready();
      }
    }
    if (!already.name().is(calledAs)) {
      throw renamed(calledAs);
    }
    return already.ready(id, false);
  }

  private static EbbException.NotFound renamed(BranchAddress asked) {
    return new EbbException.NotFound(asked + " is another branch by now: look it up again");
  }

  private record Started(Primary primary, ComputeReady ready) {}

  /**
   * Starts a branch for the first time: {@code prepare} runs before the first commit has to be
   * durable and before anybody is told of the compute.
   */
  public ComputeReady firstStart(BranchId branch, Consumer<Primary> prepare) {
    return start(slot(branch), prepare).ready();
  }

  private Started start(Slot slot, Consumer<Primary> prepare) {
    return start(slot, prepare, null);
  }

  private Started start(Slot slot, Consumer<Primary> prepare, @Nullable BranchAddress calledAs) {
    slot.lock.lock();
    try {
      Primary already = slot.running();
      if (already != null) {
        already.use();
        return new Started(already, already.ready(id, false));
      }
      bury(slot);
      enter();
      // Under the lock that a suspend needs, so that one behind a change of the name either sees
      // this start or happened before this look at the catalog.
      CompletableFuture<Boolean> named =
          calledAs == null
              ? CompletableFuture.completedFuture(true)
              : CompletableFuture.supplyAsync(
                  () -> BranchName.means(catalog, calledAs, slot.branch),
                  task -> Thread.ofVirtual().start(task));
      Primary primary;
      try {
        primary = starter.start(slot.branch, prepare);
      } catch (Throwable e) {
        leave();
        throw e;
      }
      slot.primary = primary;
      primary.onExit(() -> crashed(slot, primary));
      changed.run();
      if (!isNamed(named)) {
        throw renamed(Objects.requireNonNull(calledAs));
      }
      if (calledAs != null) {
        primary.name().set(calledAs);
      }
      return new Started(primary, primary.ready(id, true));
    } finally {
      slot.lock.unlock();
    }
  }

  private static boolean isNamed(CompletableFuture<Boolean> looked) {
    try {
      return looked.join();
    } catch (CompletionException e) {
      throw e.getCause() instanceof EbbException known
          ? known
          : new EbbException.Unavailable("the catalog cannot be read: " + e.getCause(), e);
    }
  }

  /** Captures the branch's primary while it runs; nothing where none does. */
  public void capture(BranchId branch) {
    Primary primary = running(branch);
    if (primary != null) {
      primary.captureNow();
    }
  }

  /** The branch was renamed. */
  public void refreshName(BranchId branch) {
    Primary primary = running(branch);
    if (primary != null) {
      primary.name().refresh();
      changed.run();
    }
  }

  /** Lays out the first start of a branch that is as after a suspend. */
  public void prepare(BranchId branch) {
    if (!leaving) {
      starter.prepareNext(branch, false);
    }
  }

  private void crashed(Slot slot, Primary primary) {
    slot.lock.lock();
    try {
      if (slot.primary == primary) {
        log.warn(
            "branch {}: generation {} ended by itself: {}",
            slot.branch,
            primary.generation(),
            primary.lastLogLine());
        bury(slot);
        changed.run();
      }
    } finally {
      slot.lock.unlock();
    }
  }

  /** Removes what is left of a primary that no longer runs. */
  private void bury(Slot slot) {
    Primary dead = slot.primary;
    if (dead != null) {
      slot.primary = null;
      try {
        dead.destroy();
      } finally {
        leave();
      }
    }
  }

  /**
   * Captures and stops the branch's primary.
   *
   * @param onlyIfIdleMs where positive, only after so much idleness, else {@code Conflict}: wakes
   *     and sessions that come before the first session is ended go first
   */
  public Suspended suspend(BranchId branch, long onlyIfIdleMs) {
    Slot slot = slots.get(branch);
    if (slot == null) {
      return new Suspended(false, Lsn.INVALID, 0);
    }
    slot.lock.lock();
    try {
      Primary primary = slot.running();
      if (primary == null) {
        bury(slot);
        return new Suspended(false, Lsn.INVALID, 0);
      }
      if (onlyIfIdleMs > 0 && !primary.yieldIfIdle(onlyIfIdleMs)) {
        throw new EbbException.Conflict(
            "branch " + branch + " is in use: idle for " + primary.idleMs() + " ms only");
      }
      Suspended suspended = suspend(slot, primary);
      if (!leaving) {
        starter.prepareNext(branch, true);
      }
      return suspended;
    } finally {
      slot.lock.unlock();
    }
  }

  private Suspended suspend(Slot slot, Primary primary) {
    long begin = System.nanoTime();
    try {
      changed.run();
      Lsn end = primary.suspend();
      return new Suspended(true, end, (System.nanoTime() - begin) / 1_000);
    } finally {
      bury(slot);
      changed.run();
    }
  }

  /** Ends the branch's primary without a capture. */
  public void discard(BranchId branch) {
    Slot slot = slots.get(branch);
    if (slot == null) {
      starter.forget(branch);
      return;
    }
    slot.lock.lock();
    try {
      bury(slot);
      starter.forget(branch);
      slots.remove(branch, slot);
      changed.run();
    } finally {
      slot.lock.unlock();
    }
  }

  /** The damaged pages that the branch's compute met; none where none runs here. */
  public List<Damage> damages(BranchId branch) {
    Slot slot = slots.get(branch);
    Primary primary = slot == null ? null : slot.running();
    return primary == null ? List.of() : primary.damages();
  }

  /** How often the computes that run now had to wait for pages. */
  public long misses() {
    return sum(Primary::misses);
  }

  /** What the computes that run now fetched because the wake before used it, in bytes. */
  public long prewarmedBytes() {
    return sum(Primary::prewarmedBytes);
  }

  private long sum(ToLongFunction<Primary> of) {
    long sum = 0;
    for (Slot slot : slots.values()) {
      Primary primary = slot.running();
      sum += primary == null ? 0 : of.applyAsLong(primary);
    }
    return sum;
  }

  /** A role of the branch, from the compute where one runs here, else from the snapshot. */
  public RoleFound role(BranchId branch, String role) {
    LoginFound found = login(branch, role, "");
    return new RoleFound(found.role(), found.wakeNeeded());
  }

  /** The same, with what a database inside the branch's cluster says of it. */
  public LoginFound login(BranchId branch, String role, String database) {
    Slot slot = slots.get(branch);
    if (slot != null) {
      Primary primary = slot.running();
      if (primary == null && slot.lock.isLocked()) {
        // Starting or stopping: only what comes out of it can be trusted.
        slot.lock.lock();
        try {
          primary = slot.running();
        } finally {
          slot.lock.unlock();
        }
      }
      if (primary != null) {
        return primary.login(role, database);
      }
    }
    BranchHead head =
        heads
            .read(branch)
            .orElseThrow(() -> new EbbException.NotFound("there is no branch " + branch))
            .head();
    if (!head.closed()) {
      return new LoginFound(null, null, true);
    }
    Manifest manifest = pages.manifest(head.manifestKey());
    return new LoginFound(
        manifest.roles().stream()
            .filter(candidate -> candidate.name().equals(role))
            .findFirst()
            .orElse(null),
        manifest.restricted().stream()
            .filter(candidate -> candidate.database().equals(database))
            .findFirst()
            .orElse(null),
        false);
  }

  /** What runs here. */
  public List<ComputeStatus> statuses() {
    var statuses = new ArrayList<ComputeStatus>();
    for (Slot slot : slots.values()) {
      Primary primary = slot.primary;
      if (primary != null) {
        statuses.add(primary.status());
      }
    }
    return List.copyOf(statuses);
  }

  /** The primary of a branch, where one runs here. */
  public @Nullable Primary running(BranchId branch) {
    Slot slot = slots.get(branch);
    return slot == null ? null : slot.running();
  }

  /** Takes no more computes from now on. */
  public void beginLeaving() {
    leaving = true;
    changed.run();
  }

  /** Refuses wakes and suspends everything, side by side. */
  public void close() {
    beginLeaving();
    try (var tasks = Executors.newVirtualThreadPerTaskExecutor()) {
      for (BranchId branch : slots.keySet()) {
        tasks.execute(() -> {
          try {
            suspend(branch, 0);
          } catch (RuntimeException e) {
            log.warn("branch {} was not suspended cleanly: {}", branch, e.getMessage());
          }
        });
      }
    }
    starter.close();
  }

  private Slot slot(BranchId branch) {
    return slots.computeIfAbsent(branch, Slot::new);
  }
}

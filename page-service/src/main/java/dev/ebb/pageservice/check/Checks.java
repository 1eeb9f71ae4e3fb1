package dev.ebb.pageservice.check;

import dev.ebb.pageservice.gc.GcLimits;
import dev.ebb.pageservice.index.IndexWalk;
import dev.ebb.pageservice.pack.PageCodec;
import dev.ebb.pageservice.snapshot.SnapshotReader;
import dev.ebb.shared.bus.PageMessage.CheckProgress;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.store.ObjectStore;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The checks that this instance runs, each on a thread of its own. Thread-safe. */
public final class Checks {
  private static final Logger log = LoggerFactory.getLogger(Checks.class);

  /** Each reads the store as fast as it can. */
  private static final int MAX_AT_ONCE = 4;

  private final ObjectStore store;
  private final SnapshotReader reader;
  private final IndexWalk walk;
  private final PageCodec codec;
  private final ExecutorService threads;
  private final Clock clock;
  private final GcLimits limits;
  private final Map<String, Findings> running = new ConcurrentHashMap<>();

  /**
   * @param limits what collection goes by: how far back histories count, and how young an object of
   *     a capture that goes on may be
   */
  public Checks(
      ObjectStore store,
      SnapshotReader reader,
      IndexWalk walk,
      PageCodec codec,
      ExecutorService threads,
      Clock clock,
      GcLimits limits) {
    this.store = store;
    this.reader = reader;
    this.walk = walk;
    this.codec = codec;
    this.threads = threads;
    this.clock = clock;
    this.limits = limits;
  }

  /** Begins one; returns its name. */
  public String open(List<BranchId> branches) {
    running.values().removeIf(Findings::isOver);
    if (running.size() >= MAX_AT_ONCE) {
      throw new EbbException.Exhausted(MAX_AT_ONCE + " checks run already: wait for one to end");
    }
    String name = SnapshotId.random().value();
    var findings = new Findings(clock);
    running.put(name, findings);
    var check = new Check(store, reader, walk, codec, limits, branches, findings);
    threads.execute(() -> run(check, findings));
    return name;
  }

  private static void run(Check check, Findings findings) {
    try {
      check.run();
    } catch (Findings.Abandoned e) {
      log.info("a check is given up: {}", e.getMessage());
    } catch (RuntimeException e) {
      log.warn("a check failed", e);
      check.failed(e);
    } finally {
      findings.finish();
    }
  }

  /** How far it is. */
  public CheckProgress step(String check) {
    Findings findings = running.get(check);
    if (findings == null) {
      throw new EbbException.NotFound("check " + check + " does not run here: begin another");
    }
    return findings.progress();
  }

  public void close(String check) {
    Findings gone = running.remove(check);
    if (gone != null) {
      gone.abandon();
    }
  }

  /** Ends all. */
  public void closeAll() {
    running.keySet().forEach(this::close);
  }
}

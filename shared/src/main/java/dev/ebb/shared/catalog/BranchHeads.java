package dev.ebb.shared.catalog;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.store.ObjectStore;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/**
 * The heads of branches: who may write, and which snapshot is the newest. Every change is a
 * compare-and-set on the head's object. Blocking.
 *
 * <p>{@code Unavailable} from a change means that it may or may not have happened: the store did
 * not answer. {@link #openGeneration} can simply be called again (a generation may be skipped);
 * {@link #commitSnapshot} with the same manifest finds out.
 */
public final class BranchHeads {
  /** Asked before each compare-and-set of a commit. */
  @FunctionalInterface
  public interface Guard {
    /** Throws where what is to be committed may not take the place of this head any more. */
    void require(BranchHead before);
  }

  /** Each lost race means that somebody else made progress; so many in a row mean a defect. */
  private static final int MAX_RACES = 100;

  private static final int MAX_SEEN = 1_000;

  private final ObjectStore store;

  /** Heads as they were read last: guesses, which a compare-and-set proves or refutes. */
  private final Map<BranchId, Versioned> seen =
      Collections.synchronizedMap(
          new LinkedHashMap<>(16, 0.75f, true) {
            private static final long serialVersionUID = 1L;

            @Override
            protected boolean removeEldestEntry(Map.Entry<BranchId, Versioned> eldest) {
              return size() > MAX_SEEN;
            }
          });

  public BranchHeads(ObjectStore store) {
    this.store = store;
  }

  /** A head with the version that a compare-and-set on it needs. */
  public record Versioned(BranchHead head, ObjectStore.Version version) {}

  /**
   * A generation that was opened.
   *
   * @param head as it is now, with the new generation
   * @param previous as it was before: how the last generation ended, and where
   */
  public record Opened(BranchHead head, BranchHead previous) {}

  /** Makes a branch's head; {@code Conflict} where another one is there already. */
  public void create(BranchHead head) {
    String key = BranchKeys.head(head.branch());
    byte[] content = CatalogJson.encode(head);
    if (store.putIfAbsent(key, content).isPresent()) {
      return;
    }
    boolean ours = store.get(key).filter(s -> Arrays.equals(s.content(), content)).isPresent();
    if (!ours) {
      throw new EbbException.Conflict("branch " + head.branch() + " has a head already");
    }
  }

  /** The head, a tombstone included, or nothing. */
  public Optional<Versioned> read(BranchId branch) {
    String key = BranchKeys.head(branch);
    Optional<Versioned> found =
        store
            .get(key)
            .map(stored ->
                new Versioned(CatalogJson.decodeHead(key, stored.content()), stored.version()));
    found.ifPresentOrElse(head -> seen.put(branch, head), () -> seen.remove(branch));
    return found;
  }

  /** The head as this object read it last, if it did; what it is now only the store knows. */
  public Optional<BranchHead> lastSeen(BranchId branch) {
    return Optional.ofNullable(seen.get(branch)).map(Versioned::head);
  }

  /**
   * Raises the generation for a new primary, which fences all older ones, and takes the mark of a
   * clean end off. {@code NotFound} for a branch that does not exist or was dropped.
   *
   * <p>Begins with the head as this object read it last, where it did: a login has read it just
   * before a wake, and a store that is far away is then asked once instead of twice.
   */
  public Opened openGeneration(BranchId branch) {
    Versioned guess = seen.remove(branch);
    for (int race = 0; race < MAX_RACES; race++) {
      Versioned now = guess == null || guess.head().dropped() ? require(branch) : guess;
      guess = null;
      BranchHead before = now.head();
      BranchHead after = opened(before);
      if (write(after, now.version())) {
        return new Opened(after, before);
      }
    }
    throw tooManyRaces(branch);
  }

  /** What opening the next generation makes of a head that nobody changes until then. */
  public static BranchHead opened(BranchHead before) {
    return before
        .withGeneration(before.generation().next())
        .withSnapshot(before.manifestKey(), false, Lsn.INVALID);
  }

  /**
   * Makes a snapshot the branch's newest. {@code Fenced} where the head has another generation or
   * the branch is gone. Idempotent for the same manifest.
   *
   * @param closed whether the compute has stopped cleanly, with the log's end at {@code closedLsn}
   */
  public BranchHead commitSnapshot(
      BranchId branch, Generation generation, String manifestKey, boolean closed, Lsn closedLsn) {
    return commit(
        branch, generation, manifestKey, head -> {}, h -> close(h, manifestKey, closed, closedLsn));
  }

  /**
   * The same, but only where {@code expectedManifestKey} is still the newest snapshot: {@code
   * Conflict} otherwise.
   */
  public BranchHead commitSnapshot(
      BranchId branch,
      Generation generation,
      String expectedManifestKey,
      String manifestKey,
      boolean closed,
      Lsn closedLsn) {
    return commitSnapshot(
        branch, generation, expectedManifestKey, manifestKey, closed, closedLsn, head -> {});
  }

  /**
   * The same; what {@code guard} throws is passed on, and then nothing was changed.
   *
   * @param guard is asked with the head as it was read for each compare-and-set, not where the
   *     commit turns out to have taken place
   */
  public BranchHead commitSnapshot(
      BranchId branch,
      Generation generation,
      String expectedManifestKey,
      String manifestKey,
      boolean closed,
      Lsn closedLsn,
      Guard guard) {
    return commit(
        branch,
        generation,
        manifestKey,
        head -> {
          requireManifest(head, expectedManifestKey);
          guard.require(head);
        },
        head -> close(head, manifestKey, closed, closedLsn));
  }

  /**
   * Puts another manifest of the same snapshot in the place of one, whoever writes the branch now.
   *
   * @param guard as with a commit
   * @return false where the branch has another manifest by now, or was dropped
   */
  public boolean revise(
      BranchId branch, String expectedManifestKey, String manifestKey, Guard guard) {
    return update(
            branch,
            has(expectedManifestKey),
            head -> {
              guard.require(head);
              return head.withSnapshot(manifestKey, head.closed(), head.closedLsn());
            })
        .isPresent();
  }

  /**
   * Comes before a collection deletes anything that a commit on this head could refer to: what was
   * begun earlier finds a head that has changed ({@link BranchHead#collectedBefore}).
   *
   * @param expectedManifestKey what the collection knows to be in use
   * @param collectedBefore nothing younger is deleted
   * @return false where the branch has another manifest by now, or was dropped: look again
   */
  public boolean fence(BranchId branch, String expectedManifestKey, long collectedBefore) {
    return update(
            branch,
            has(expectedManifestKey),
            // Always another value, whatever the store's clock did: it counts collections, too.
            head -> head.withCollected(Math.max(collectedBefore, head.collectedBefore() + 1)))
        .isPresent();
  }

  /**
   * The branch has a topic now; comes before anything is acknowledged there. {@code Fenced} where
   * the head has another generation.
   */
  public void markLogMade(BranchId branch, Generation generation) {
    mark(branch, generation, BranchHead::withLogMade);
  }

  /**
   * Nothing of what the parent had prepared is left in the branch, durably. {@code Fenced} where
   * the head has another generation.
   */
  public void markDisinherited(BranchId branch, Generation generation) {
    mark(branch, generation, BranchHead::withoutInheritance);
  }

  private void mark(BranchId branch, Generation generation, UnaryOperator<BranchHead> change) {
    Optional<BranchHead> marked =
        update(
            branch,
            head -> !head.dropped(),
            head -> {
              if (!head.generation().equals(generation)) {
                throw new EbbException.Fenced(
                    "branch "
                        + branch
                        + " is at generation "
                        + head.generation()
                        + ", not "
                        + generation);
              }
              return change.apply(head);
            });
    if (marked.isEmpty()) {
      throw noBranch(branch);
    }
  }

  /**
   * Leaves a tombstone where there is no head, so that none is made any more.
   *
   * @param database as far as it is known
   * @return false where there is a head, which stays as it is
   */
  public boolean bury(BranchId branch, DatabaseId database) {
    var tombstone =
        new BranchHead(
            CatalogJson.HEAD_VERSION,
            branch,
            database,
            0,
            Generation.NONE,
            "",
            false,
            Lsn.INVALID,
            true,
            false);
    return store.putIfAbsent(BranchKeys.head(branch), CatalogJson.encode(tombstone)).isPresent();
  }

  /**
   * Leaves a tombstone: nothing can be started or committed any more.
   *
   * @return false where there is no head
   */
  public boolean drop(BranchId branch) {
    return update(branch, head -> true, BranchHead::withTombstone).isPresent();
  }

  private BranchHead commit(
      BranchId branch,
      Generation generation,
      String manifestKey,
      Guard check,
      UnaryOperator<BranchHead> change) {
    return update(
            branch,
            head -> !head.dropped(),
            head -> {
              if (!head.generation().equals(generation)) {
                throw new EbbException.Fenced(
                    "branch "
                        + branch
                        + " is at generation "
                        + head.generation()
                        + "; generation "
                        + generation
                        + " may not commit any more");
              }
              if (head.manifestKey().equals(manifestKey)) {
                return head;
              }
              check.require(head);
              return change.apply(head);
            })
        .orElseThrow(() -> new EbbException.Fenced("branch " + branch + " was dropped: stop"));
  }

  /**
   * Compares and sets until it succeeds; a change that leaves the head as it is writes nothing.
   *
   * @param applies whether there is still something to change
   * @return the head as it is now, or nothing where it does not apply or there is none
   */
  private Optional<BranchHead> update(
      BranchId branch, Predicate<BranchHead> applies, UnaryOperator<BranchHead> change) {
    for (int race = 0; race < MAX_RACES; race++) {
      Optional<Versioned> now = read(branch).filter(v -> applies.test(v.head()));
      if (now.isEmpty()) {
        return Optional.empty();
      }
      BranchHead before = now.get().head();
      BranchHead after = change.apply(before);
      if (after.equals(before) || write(after, now.get().version())) {
        return Optional.of(after);
      }
    }
    throw tooManyRaces(branch);
  }

  private static Predicate<BranchHead> has(String manifestKey) {
    return head -> !head.dropped() && head.manifestKey().equals(manifestKey);
  }

  private static void requireManifest(BranchHead head, String expected) {
    if (!head.manifestKey().equals(expected)) {
      throw new EbbException.Conflict(
          "branch "
              + head.branch()
              + " moved on from snapshot "
              + expected
              + " to "
              + head.manifestKey()
              + ": capture again");
    }
  }

  private static BranchHead close(
      BranchHead head, String manifestKey, boolean closed, Lsn closedLsn) {
    return head.withSnapshot(manifestKey, closed, closed ? closedLsn : Lsn.INVALID);
  }

  private Versioned require(BranchId branch) {
    return read(branch).filter(v -> !v.head().dropped()).orElseThrow(() -> noBranch(branch));
  }

  private static EbbException noBranch(BranchId branch) {
    return new EbbException.NotFound("branch " + branch + " does not exist or was dropped");
  }

  private boolean write(BranchHead head, ObjectStore.Version expected) {
    return store
        .putIfMatch(BranchKeys.head(head.branch()), CatalogJson.encode(head), expected)
        .isPresent();
  }

  private static EbbException tooManyRaces(BranchId branch) {
    return new EbbException.Unavailable(
        "the head of branch " + branch + " changed under each of " + MAX_RACES + " attempts");
  }
}

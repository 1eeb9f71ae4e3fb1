package dev.ebb.pageservice.check;

import dev.ebb.shared.archive.ArchiveCodec;
import dev.ebb.shared.archive.ArchiveKey;
import dev.ebb.shared.bus.PageMessage.CheckProgress.Kind;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.store.ObjectStore;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Reads a branch's archived WAL: every record of every object, each where its name says, and none
 * missing between two that any snapshot needs. What was before those may have expired, in any
 * order: an object goes at its own age, and one that overlaps it may be younger. What is behind the
 * last is in the topic still.
 */
final class ArchiveCheck {
  private final ObjectStore store;
  private final Findings findings;
  private final Set<String> reached;

  ArchiveCheck(ObjectStore store, Findings findings, Set<String> reached) {
    this.store = store;
    this.findings = findings;
    this.reached = reached;
  }

  /**
   * Checks a branch's.
   *
   * @param stored what there is of it, in order
   * @param neededFrom the first record that a snapshot needs
   */
  void verify(BranchId branch, Collection<ObjectStore.Listed> stored, long neededFrom) {
    Map<String, Long> ends = new HashMap<>();
    for (ObjectStore.Listed object : stored) {
      Optional<ArchiveKey> key =
          ArchiveKey.parse(object.key()).filter(archived -> archived.branch().equals(branch));
      if (key.isEmpty()) {
        continue;
      }
      reached.add(object.key());
      follow(key.get(), ends, neededFrom);
      content(key.get(), object.key());
      findings.checked(1, 0, object.bytes());
    }
  }

  private void follow(ArchiveKey key, Map<String, Long> ends, long neededFrom) {
    long end = Math.max(neededFrom, ends.getOrDefault(key.topic(), key.from()));
    if (key.from() > end) {
      findings.add(
          Kind.MISSING,
          ArchiveKey.prefix(key.branch(), key.topic()),
          0,
          "records " + end + " to " + (key.from() - 1) + " of the log are not there");
    }
    ends.merge(key.topic(), key.to(), Math::max);
  }

  private void content(ArchiveKey key, String name) {
    Optional<ObjectStore.Stored> object = store.get(name);
    if (object.isEmpty()) {
      return; // it has expired since it was listed
    }
    byte[] content = object.get().content();
    var next = new long[] {key.from()};
    try {
      ArchiveCodec.decode(
          name,
          content,
          0,
          record -> {
            if (record.offset() != next[0]) {
              throw new EbbException.Corrupt(
                  name + " is damaged: record " + record.offset() + " in place of " + next[0]);
            }
            next[0]++;
            return true;
          });
      if (next[0] != key.to()) {
        throw new EbbException.Corrupt(
            name + " is damaged: it ends before record " + next[0] + ", not " + key.to());
      }
    } catch (EbbException.Corrupt e) {
      findings.add(Kind.DAMAGED, name, content.length, String.valueOf(e.getMessage()));
    }
  }
}

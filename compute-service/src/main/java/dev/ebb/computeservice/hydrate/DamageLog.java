package dev.ebb.computeservice.hydrate;

import dev.ebb.shared.bus.ComputeMessage.Damage;
import dev.ebb.shared.page.FileKey;
import java.time.Clock;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The damaged pages that one compute met last, each once. Safe for use by many threads. */
public final class DamageLog {
  private static final Logger log = LoggerFactory.getLogger(DamageLog.class);

  /** A damaged node of an index takes some thousand pages along, of which many are read at once. */
  private static final int KEPT = 1_024;

  private final Clock clock;
  private final Map<Place, Damage> latest = new LinkedHashMap<>();

  private record Place(FileKey file, int block) {}

  DamageLog(Clock clock) {
    this.clock = clock;
  }

  void met(FileKey file, int block, int process, String cause) {
    var damage =
        new Damage(
            relation(file),
            (long) file.segment() * FileKey.BLOCKS_PER_SEGMENT + block,
            process,
            cause,
            clock.millis());
    boolean known;
    synchronized (latest) {
      var place = new Place(file, block);
      known = latest.remove(place) != null;
      latest.put(place, damage);
      if (latest.size() > KEPT) {
        latest.remove(latest.keySet().iterator().next());
      }
    }
    if (!known) {
      log.error("block {} of {}: {}", block, file, cause);
    }
  }

  /** As PostgreSQL names it in messages ({@code relpath}): without the segment. */
  private static String relation(FileKey file) {
    return file.kind() == FileKey.Kind.RELATION
        ? new FileKey(file.kind(), file.database(), file.relation(), file.fork(), 0).path()
        : file.path();
  }

  /** The latest first. */
  public List<Damage> latest() {
    synchronized (latest) {
      return new ArrayList<>(latest.values()).reversed();
    }
  }
}

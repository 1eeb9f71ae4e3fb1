package dev.ebb.computeservice.provision;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.store.ObjectStore;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The object that names a template's manifest. Until it does, nothing keeps a template from being
 * collected: one that took long is made again, and so is one that is named but gone, because its
 * maker stopped at the wrong moment.
 */
final class TemplatePointer {
  private static final Logger log = LoggerFactory.getLogger(TemplatePointer.class);

  /** Half of the shortest grace that collection may be given. */
  static final long MAX_AGE_MS = TimeUnit.MINUTES.toMillis(5);

  private static final int MAX_ATTEMPTS = 3;

  private final ObjectStore store;
  private final String pointer;
  private final Clock clock;

  TemplatePointer(ObjectStore store, String pointer, Clock clock) {
    this.store = store;
    this.pointer = pointer;
    this.clock = clock;
  }

  /**
   * The key of the template's manifest.
   *
   * @param make makes a template where there is none, and returns its manifest's key
   */
  String ensure(Supplier<String> make) {
    for (int attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      Optional<ObjectStore.Stored> known = store.get(pointer);
      Optional<String> key =
          known.map(stored -> new String(stored.content(), StandardCharsets.UTF_8));
      if (key.isPresent() && isThere(key.get())) {
        return key.get();
      }
      key.ifPresent(gone -> log.error("the template {} is gone: making another", gone));
      long begunMs = clock.millis();
      String made = make.get();
      long tookMs = clock.millis() - begunMs;
      if (tookMs > MAX_AGE_MS) {
        log.warn("making the template took {} ms: it may be collected by now", tookMs);
        continue;
      }
      byte[] content = made.getBytes(StandardCharsets.UTF_8);
      // Where another host was faster, its template serves as well as this one.
      var _ =
          known.isEmpty()
              ? store.putIfAbsent(pointer, content)
              : store.putIfMatch(pointer, content, known.get().version());
    }
    throw new EbbException.Unavailable(
        "no template could be made in " + MAX_ATTEMPTS + " attempts: see the log");
  }

  private boolean isThere(String manifestKey) {
    try {
      return store.get(manifestKey).isPresent();
    } catch (EbbException.Invalid e) {
      return false; // no key at all
    }
  }
}

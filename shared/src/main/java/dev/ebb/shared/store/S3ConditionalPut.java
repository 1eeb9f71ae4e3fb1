package dev.ebb.shared.store;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.store.S3Errors.Verdict;
import io.minio.errors.MinioException;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A write under a condition that is never misreported. An attempt without an answer may have
 * happened, and then the next one is refused because of it: whether the refusal is due to the write
 * itself is read back, from the {@link WriteHistory} of what is stored. Where even that does not
 * tell (something else wrote or deleted the object meanwhile), it is {@code Unavailable}, which
 * says that it may or may not have happened.
 *
 * <p>The object goes in one request, whatever its size: S3 takes up to 5 GB in one.
 */
final class S3ConditionalPut {
  private static final Logger log = LoggerFactory.getLogger(S3ConditionalPut.class);

  private final S3Requests requests;
  private final S3Retry retry;
  private final S3Errors errors;
  private final String what;
  private final String object;
  private final byte[] content;
  private final Map<String, String> headers;
  private final WriteHistory before;
  private final WriteHistory after;
  private final String write = WriteHistory.newId();

  /**
   * Prepares it.
   *
   * @param before the writes that made the object what it must be for the condition to hold
   */
  S3ConditionalPut(
      S3Requests requests,
      S3Retry retry,
      S3Errors errors,
      String what,
      String object,
      byte[] content,
      Map<String, String> condition,
      WriteHistory before) {
    this.requests = requests;
    this.retry = retry;
    this.errors = errors;
    this.what = what;
    this.object = object;
    this.content = content;
    this.before = before;
    this.after = before.with(write);
    this.headers = new HashMap<>(condition);
    headers.putAll(after.headers());
  }

  /** The object's new version; empty where the condition did not hold. */
  Optional<S3Version> run() {
    boolean doubt = false;
    for (int attempt = 1; ; attempt++) {
      try {
        return Optional.of(new S3Version(requests.put(object, content, headers), after));
      } catch (MinioException | IOException e) {
        if (S3Errors.isRefused(e)) {
          return doubt ? look(e) : Optional.empty();
        }
        doubt |= S3Errors.verdict(e) == Verdict.UNCLEAR;
        if (!retry.goOn(what, attempt, e)) {
          if (doubt) {
            return look(e);
          }
          throw errors.unavailable(what, e);
        }
      }
    }
  }

  /** Finds out what became of attempts that nobody answered. */
  private Optional<S3Version> look(Exception error) {
    S3Requests.Facts now;
    try {
      now = retry.call(what, () -> requests.head(object));
    } catch (EbbException.Unavailable e) { // absent, too: it was deleted, perhaps after this write
      log.debug("what became of an attempt to {} is not known: {}", what, e.getMessage());
      throw unclear(error);
    }
    return switch (now.history().about(write, before)) {
      case NEWEST -> Optional.of(new S3Version(now.etag(), now.history()));
      case OVERWRITTEN -> Optional.of(S3Version.gone(after));
      case NEVER -> Optional.empty();
      case UNKNOWN -> throw unclear(error);
    };
  }

  private EbbException unclear(Exception error) {
    return new EbbException.Unavailable(
        errors.unavailable(what, error).getMessage() + "; it may or may not have happened");
  }
}

package dev.ebb.shared.store;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.store.S3Errors.Verdict;
import io.minio.errors.MinioException;
import java.io.IOException;
import java.util.concurrent.ThreadLocalRandom;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Repeats S3 requests a bounded number of times, with growing pauses and jitter. */
final class S3Retry {
  private static final Logger log = LoggerFactory.getLogger(S3Retry.class);
  private static final long FIRST_PAUSE_MS = 25;
  private static final long MAX_PAUSE_MS = 2_000;

  private final S3Errors errors;
  private final int attempts;

  S3Retry(S3Config config, S3Errors errors) {
    this.errors = errors;
    this.attempts = config.limits().attempts();
  }

  /** One request. */
  interface Call<T> {
    T run() throws MinioException, IOException;
  }

  /** For requests that may be made twice without harm. */
  <T> T call(String what, Call<T> call) {
    for (int attempt = 1; ; attempt++) {
      try {
        return call.run();
      } catch (MinioException | IOException e) {
        if (!goOn(what, attempt, e)) {
          throw errors.unavailable(what, e);
        }
      }
    }
  }

  /** Whether a failed attempt is to be followed by another; waits before that. */
  boolean goOn(String what, int attempt, Exception error) {
    if (S3Errors.verdict(error) == Verdict.FINAL || attempt >= attempts) {
      return false;
    }
    log.debug("attempt {} to {} failed: {}", attempt, what, errors.reason(error));
    pause(attempt);
    return true;
  }

  private static void pause(int attempt) {
    long most = Math.min(FIRST_PAUSE_MS << attempt, MAX_PAUSE_MS);
    try {
      Thread.sleep(ThreadLocalRandom.current().nextLong(most / 2, most + 1));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new EbbException.Unavailable("interrupted", e);
    }
  }
}

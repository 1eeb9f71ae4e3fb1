package dev.ebb.shared.store;

import dev.ebb.shared.error.EbbException;
import io.minio.errors.ErrorResponseException;
import io.minio.errors.MinioException;
import io.minio.errors.ServerException;
import java.io.IOException;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;

/** Repeats S3 calls a bounded number of times, with jitter, and words their failures. */
final class S3Retry {
  private static final long FIRST_PAUSE_MS = 50;
  private static final Set<String> TRANSIENT =
      Set.of(
          "SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "OperationAborted");

  private final S3Config config;

  S3Retry(S3Config config) {
    this.config = config;
  }

  /** One call to the server. */
  interface Call<T> {
    T run() throws MinioException, IOException;
  }

  /** For calls that may be made twice without harm. */
  <T> T call(String what, Call<T> call) {
    return run(what, call, false);
  }

  /**
   * For conditional writes: only an answer that says "not done" is followed by another attempt. 409
   * is Amazon's for two conditional writes at the same time.
   */
  <T> T callRefusable(String what, Call<T> call) {
    return run(what, call, true);
  }

  private <T> T run(String what, Call<T> call, boolean onlyIfRefused) {
    for (int attempt = 1; ; attempt++) {
      Throwable error;
      try {
        return call.run();
      } catch (MinioException | IOException e) {
        error = e;
      } catch (IllegalStateException e) {
        error = e.getCause() == null ? e : e.getCause(); // the client's way to wrap an IOException
      }
      boolean again = onlyIfRefused ? isConflict(error) || isSlowDown(error) : isTransient(error);
      if (!again || attempt >= config.attempts()) {
        throw unavailable(what, error);
      }
      pause(attempt);
    }
  }

  private static boolean isConflict(Throwable error) {
    return error instanceof ErrorResponseException e && e.response().code() == 409;
  }

  private static boolean isSlowDown(Throwable error) {
    return error instanceof ErrorResponseException e && "SlowDown".equals(e.errorResponse().code());
  }

  private static boolean isTransient(Throwable error) {
    return switch (error) {
      case ErrorResponseException e ->
          TRANSIENT.contains(e.errorResponse().code()) || e.response().code() >= 500;
      case ServerException e -> e.statusCode() >= 500;
      default -> true; // no answer, one cut short, or one from something in between
    };
  }

  private static void pause(int attempt) {
    long most = FIRST_PAUSE_MS << attempt;
    try {
      Thread.sleep(ThreadLocalRandom.current().nextLong(most / 2, most));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new EbbException.Unavailable("interrupted", e);
    }
  }

  private EbbException.Unavailable unavailable(String what, Throwable error) {
    String where = " in bucket " + config.bucket() + " at " + config.endpoint() + ": ";
    return new EbbException.Unavailable("cannot " + what + where + reason(error), error);
  }

  private String reason(Throwable error) {
    if (error instanceof ErrorResponseException e) {
      String code = e.errorResponse().code();
      return switch (code) {
        case "NoSuchBucket" -> "the bucket does not exist: create it";
        case "InvalidAccessKeyId", "SignatureDoesNotMatch" ->
            code + ": the access key or the secret key is wrong";
        case "AccessDenied" ->
            code + ": the access key may not do this; allow it to read, write, list and delete";
        default -> code + " (" + e.response().code() + "): " + e.errorResponse().message();
      };
    }
    Throwable root = error;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return root instanceof java.net.ConnectException
            || root instanceof java.net.UnknownHostException
        ? "no S3 server answers there: " + root.getMessage()
        : root.toString();
  }
}

package dev.ebb.shared.store;

import dev.ebb.shared.error.EbbException;
import io.minio.errors.ErrorResponseException;
import io.minio.errors.MinioException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tries, at start, all that Ebb asks of an S3 server, with an object of its own that it deletes
 * again. Says all that is wrong, a line each, and what to do about it.
 */
final class S3Check {
  private static final Logger log = LoggerFactory.getLogger(S3Check.class);

  /** S3 refuses requests from 15 minutes on; what is deleted by age needs the clocks before. */
  private static final long MAX_CLOCK_DIFFERENCE_MS = 300_000;

  private final S3Config config;
  private final S3Requests requests;
  private final S3Retry retry;
  private final S3Errors errors;
  private final List<String> denied = new ArrayList<>();
  private final List<String> wrong = new ArrayList<>();

  S3Check(S3Config config, S3Requests requests, S3Retry retry, S3Errors errors) {
    this.config = config;
    this.requests = requests;
    this.retry = retry;
    this.errors = errors;
  }

  /** {@code Unavailable} where the store cannot be used as it is. */
  void run() {
    String prefix = config.prefix().isEmpty() ? "" : config.prefix() + "/";
    String object = prefix + "check/" + UUID.randomUUID();
    byte[] content = "Ebb checks what this store can do".getBytes(StandardCharsets.UTF_8);
    // The first request tells whether there is a server, a bucket and a key that it knows.
    allowed("list", () -> requests.list(prefix + "check/", 1, null));
    checkClock();
    Optional<String> etag = allowed("write", () -> requests.put(object, content, after()));
    try {
      checkRead(object, content, etag.isPresent());
      etag.ifPresent(now -> checkConditions(object, content, now));
    } finally {
      var _ =
          allowed(
              "delete",
              () -> {
                requests.delete(object);
                return object;
              });
    }
    tell();
  }

  private void checkRead(String object, byte[] content, boolean written) {
    Optional<Boolean> same =
        allowed(
            "read",
            () -> {
              try {
                S3Requests.Found found = requests.get(object);
                return Arrays.equals(found.content(), content)
                    && !found.history().writes().isEmpty();
              } catch (MinioException e) {
                if (S3Errors.isAbsent(e)) {
                  return !written;
                }
                throw e;
              }
            });
    if (!same.orElse(true)) {
      wrong.add(
          "the server does not give back what was written, or loses its metadata:"
              + " use another S3 server");
    }
  }

  private static Map<String, String> after() {
    return WriteHistory.NONE.with(WriteHistory.newId()).headers();
  }

  /** Empty where the server denies it; any other failure ends the check. */
  private <T> Optional<T> allowed(String action, S3Retry.Call<T> call) {
    return retry.call(
        "check the store",
        () -> {
          try {
            return Optional.of(call.run());
          } catch (ErrorResponseException e) {
            if (S3Errors.hasCode(e, "AccessDenied")) {
              denied.add(action);
              return Optional.empty();
            }
            throw e;
          }
        });
  }

  private void checkClock() {
    long leadMs = requests.clockLeadMs();
    if (Math.abs(leadMs) > MAX_CLOCK_DIFFERENCE_MS) {
      wrong.add(
          "this machine's clock is "
              + Duration.ofMillis(Math.abs(leadMs)).toSeconds()
              + " s "
              + (leadMs > 0 ? "ahead of" : "behind")
              + " the server's: set both (NTP)");
    }
  }

  /** Ebb's fencing rests on these, and some servers ignore the headers. */
  private void checkConditions(String object, byte[] content, String etag) {
    boolean noneMatch = refuses(object, content, "If-None-Match", "*");
    boolean match = refuses(object, content, "If-Match", '"' + "0".repeat(32) + '"');
    boolean matching =
        holds(() -> requests.put(object, content, Map.of("If-Match", '"' + etag + '"')));
    if (!noneMatch || !match || !matching) {
      wrong.add(
          "the server does not honour conditional writes ("
              + String.join(
                  ", ",
                  noneMatch ? "If-None-Match does" : "If-None-Match does not",
                  match && matching ? "If-Match does" : "If-Match does not")
              + "), on which Ebb's safety rests: use a server that does (Amazon S3, MinIO)");
    }
  }

  private boolean refuses(String object, byte[] content, String header, String value) {
    return !holds(() -> requests.put(object, content, Map.of(header, value)));
  }

  private boolean holds(S3Retry.Call<String> put) {
    return retry.call(
        "check conditional writes",
        () -> {
          try {
            var _ = put.run();
            return true;
          } catch (MinioException e) {
            // a server that does not know a header may call it not implemented
            if (S3Errors.isRefused(e) || S3Errors.hasCode(e, "NotImplemented")) {
              return false;
            }
            throw e;
          }
        });
  }

  private void tell() {
    if (!denied.isEmpty()) {
      wrong.addFirst(
          "the access key may not "
              + String.join(", ", denied)
              + ": allow it to list, read, write and delete below \""
              + config.prefix()
              + "\"");
    }
    if (!wrong.isEmpty()) {
      String where = "bucket " + config.bucket() + " at " + config.endpoint();
      throw new EbbException.Unavailable(
          wrong.size() == 1
              ? where + ": " + wrong.getFirst()
              : where + ":\n  - " + String.join("\n  - ", wrong));
    }
  }

  /** Cleans up behind uploads of processes that died; not worth a refusal to start. */
  void abortStaleUploads(S3Upload uploads) {
    try {
      String prefix = config.prefix().isEmpty() ? "" : config.prefix() + "/";
      int aborted = uploads.abortStale(prefix, System.currentTimeMillis());
      if (aborted > 0) {
        log.info("aborted {} uploads that processes left behind", aborted);
      }
    } catch (MinioException | IOException e) {
      log.debug("unfinished uploads cannot be listed: {}", errors.reason(e));
    }
  }
}

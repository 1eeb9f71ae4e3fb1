package dev.ebb.shared.store;

import dev.ebb.shared.error.EbbException;
import io.minio.errors.MinioException;
import io.minio.messages.Part;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes of objects that are too large for one request: in parts, several at a time, each repeated
 * on its own where it fails. An upload that does not succeed is aborted; one whose process died, or
 * whose abort failed, is aborted by {@link #abortStale}, since its parts are paid for and
 * invisible.
 */
final class S3Upload {
  private static final Logger log = LoggerFactory.getLogger(S3Upload.class);
  private static final int PARTS_AT_ONCE = 4;

  /** No upload takes so long: its requests are bounded, and so are their number and repetitions. */
  private static final long STALE_MS = 24L * 3_600_000;

  private static final int STALE_AT_ONCE = 100;

  private final S3Requests requests;
  private final S3Retry retry;
  private final int partBytes;

  S3Upload(S3Requests requests, S3Retry retry, int partBytes) {
    this.requests = requests;
    this.retry = retry;
    this.partBytes = partBytes;
  }

  /** Writes or overwrites. */
  S3Version put(String what, String object, byte[] content) {
    String write = WriteHistory.newId();
    WriteHistory after = WriteHistory.UNKNOWN.with(write);
    String upload = retry.call(what, () -> requests.beginUpload(object, after.headers()));
    try {
      List<Part> parts = parts(what, object, upload, content);
      return complete(what, object, upload, parts, write, after);
    } catch (Throwable e) {
      abort(object, upload);
      throw e;
    }
  }

  private List<Part> parts(String what, String object, String upload, byte[] content) {
    List<Callable<Part>> tasks = new ArrayList<>();
    var room = new Semaphore(PARTS_AT_ONCE);
    for (int from = 0; from < content.length; from += partBytes) {
      int start = from;
      int number = tasks.size() + 1;
      tasks.add(() -> {
        room.acquire();
        try {
          // copied here, so that no more than the parts on their way are in memory twice
          byte[] part =
              Arrays.copyOfRange(content, start, Math.min(start + partBytes, content.length));
          return retry.call(what, () -> requests.uploadPart(object, upload, number, part));
        } finally {
          room.release();
        }
      });
    }
    try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Part> parts = new ArrayList<>();
      for (Future<Part> part : threads.invokeAll(tasks)) {
        parts.add(part.get());
      }
      return parts;
    } catch (ExecutionException e) {
      if (e.getCause() instanceof EbbException known) {
        throw known;
      }
      throw new EbbException.Unavailable("cannot " + what + ": " + e.getCause(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new EbbException.Unavailable("interrupted", e);
    }
  }

  /** One whose answer was lost leaves no upload, but the object. */
  private S3Version complete(
      String what,
      String object,
      String upload,
      List<Part> parts,
      String write,
      WriteHistory after) {
    return retry.call(
        what,
        () -> {
          try {
            return new S3Version(requests.completeUpload(object, upload, parts), after);
          } catch (MinioException e) {
            if (S3Errors.hasCode(e, "NoSuchUpload")) {
              S3Requests.Facts now = requests.head(object);
              if (now.history().writes().contains(write)) {
                return new S3Version(now.etag(), now.history());
              }
            }
            throw e;
          }
        });
  }

  private void abort(String object, String upload) {
    try {
      var _ =
          retry.call(
              "abort the upload of " + object,
              () -> {
                try {
                  requests.abortUpload(object, upload);
                } catch (MinioException e) {
                  if (!S3Errors.hasCode(e, "NoSuchUpload")) {
                    throw e;
                  }
                }
                return upload;
              });
    } catch (EbbException e) {
      log.warn("parts of {} stay in the store for a day: {}", object, e.getMessage());
    }
  }

  /** Aborts what uploads of a day ago left below a prefix; returns how many. */
  int abortStale(String prefix, long nowEpochMs) throws MinioException, IOException {
    int aborted = 0;
    for (var upload : requests.openUploads(prefix, STALE_AT_ONCE)) {
      if (upload.initiated().toInstant().toEpochMilli() < nowEpochMs - STALE_MS) {
        abort(upload.objectName(), upload.uploadId());
        aborted++;
      }
    }
    return aborted;
  }
}

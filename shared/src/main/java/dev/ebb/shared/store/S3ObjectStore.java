package dev.ebb.shared.store;

import dev.ebb.shared.error.EbbException;
import io.minio.errors.MinioException;
import io.minio.messages.Contents;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Objects in a bucket of an S3 server, through the MinIO client. An object's version is its ETag
 * and its {@link WriteHistory}; conditional writes are {@code If-None-Match: *} and {@code
 * If-Match} (Amazon S3 API, PutObject).
 *
 * <p>Every call is repeated a bounded number of times where the server does not answer, answers in
 * part, or asks to slow down. A conditional write that is repeated never reports itself as somebody
 * else's: see {@link S3ConditionalPut}.
 */
public final class S3ObjectStore implements ObjectStore {
  private static final int KEYS_PER_LISTING = 1000;

  private final S3Config config;
  private final int keysPerListing;
  private final S3Requests requests;
  private final S3Errors errors;
  private final S3Retry retry;
  private final S3Upload uploads;

  /** Makes no connection; {@link #check} does. */
  public S3ObjectStore(S3Config config) {
    this(config, KEYS_PER_LISTING);
  }

  S3ObjectStore(S3Config config, int keysPerListing) {
    this.config = config;
    this.keysPerListing = keysPerListing;
    this.requests = new S3Requests(config);
    this.errors = new S3Errors(config);
    this.retry = new S3Retry(config, errors);
    this.uploads = new S3Upload(requests, retry, config.limits().partBytes());
  }

  /**
   * Checks, at start, that the server can be reached, that the bucket may be listed, read, written
   * and deleted from, and that conditional writes are honoured: Ebb's fencing rests on those, and
   * some servers ignore the condition. {@code Unavailable} says all that is wrong.
   */
  public void check() {
    var check = new S3Check(config, requests, retry, errors);
    check.run();
    check.abortStaleUploads(uploads);
  }

  @Override
  public Optional<Stored> get(String key) {
    String object = object(key);
    return readPresent(
        key,
        () -> {
          S3Requests.Found found = requests.get(object);
          return new Stored(
              found.content(), new S3Version(found.etag(), found.history()).version());
        });
  }

  @Override
  public Optional<byte[]> getRange(String key, long offset, int length) {
    String object = object(key);
    if (offset < 0 || length < 0) {
      throw new EbbException.Invalid("a negative range of " + key);
    }
    if (length == 0) { // HTTP has no empty range
      return get(key).map(stored -> emptyRange(key, offset, stored.content().length));
    }
    return readPresent(
        key,
        () -> {
          try {
            byte[] bytes = requests.getRange(object, offset, length);
            if (bytes.length < length) {
              throw rangeOutside(key, offset, length);
            }
            return bytes;
          } catch (MinioException e) {
            if (S3Errors.hasStatus(e, 416)) {
              throw rangeOutside(key, offset, length);
            }
            throw e;
          }
        });
  }

  private <T> Optional<T> readPresent(String key, S3Retry.Call<T> call) {
    return retry.call(
        "read " + key,
        () -> {
          try {
            return Optional.of(call.run());
          } catch (MinioException e) {
            if (S3Errors.isAbsent(e)) {
              return Optional.empty();
            }
            throw e;
          }
        });
  }

  @Override
  public Version put(String key, byte[] content) {
    String object = object(key);
    String what = "write " + key;
    if (content.length > config.limits().partBytes()) {
      return uploads.put(what, object, content).version();
    }
    WriteHistory after = WriteHistory.UNKNOWN.with(WriteHistory.newId());
    String etag = retry.call(what, () -> requests.put(object, content, after.headers()));
    return new S3Version(etag, after).version();
  }

  @Override
  public Optional<Version> putIfAbsent(String key, byte[] content) {
    return putIf(key, content, Map.of("If-None-Match", "*"), WriteHistory.NONE);
  }

  @Override
  public Optional<Version> putIfMatch(String key, byte[] content, Version expected) {
    S3Version before = S3Version.parse(expected);
    return putIf(key, content, Map.of("If-Match", '"' + before.etag() + '"'), before.history());
  }

  private Optional<Version> putIf(
      String key, byte[] content, Map<String, String> condition, WriteHistory before) {
    return new S3ConditionalPut(
            requests, retry, errors, "write " + key, object(key), content, condition, before)
        .run()
        .map(S3Version::version);
  }

  @Override
  public void delete(String key) {
    String object = object(key);
    var _ =
        retry.call(
            "delete " + key,
            () -> {
              try {
                requests.delete(object);
              } catch (MinioException e) {
                if (!S3Errors.isAbsent(e)) {
                  throw e;
                }
              }
              return object;
            });
  }

  @Override
  public List<Listed> list(String prefix) {
    ObjectKeys.requirePrefix(prefix);
    String ours = config.prefix().isEmpty() ? "" : config.prefix() + "/";
    var found = new ArrayList<Listed>();
    String from = null;
    do {
      S3Requests.Page page = page(prefix, ours + prefix, from);
      for (Contents object : page.objects()) {
        found.add(
            new Listed(
                object.objectName().substring(ours.length()),
                object.size(),
                object.lastModified().toInstant().toEpochMilli()));
      }
      from = page.next();
    } while (from != null);
    found.sort(Comparator.comparing(Listed::key));
    return List.copyOf(found);
  }

  /** Each page is repeated on its own: a long listing must not begin again. */
  private S3Requests.Page page(String prefix, String objects, @Nullable String from) {
    return retry.call("list " + prefix, () -> requests.list(objects, keysPerListing, from));
  }

  /** How many uploads in parts are neither complete nor aborted; for tests. */
  int openUploads() throws MinioException, IOException {
    return requests.openUploads("", 1000).size();
  }

  @Override
  public void close() {
    requests.close();
  }

  private String object(String key) {
    ObjectKeys.require(key);
    return config.prefix().isEmpty() ? key : config.prefix() + "/" + key;
  }

  private static byte[] emptyRange(String key, long offset, int bytes) {
    if (offset > bytes) {
      throw rangeOutside(key, offset, 0);
    }
    return new byte[0];
  }

  private static EbbException.Corrupt rangeOutside(String key, long offset, int length) {
    return new EbbException.Corrupt(
        key + " is too short: " + length + " bytes were expected at offset " + offset);
  }
}

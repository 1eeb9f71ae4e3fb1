package dev.ebb.shared.store;

import dev.ebb.shared.error.EbbException;
import io.minio.BucketExistsArgs;
import io.minio.GetObjectArgs;
import io.minio.GetObjectResponse;
import io.minio.ListObjectsArgs;
import io.minio.MinioClient;
import io.minio.ObjectWriteResponse;
import io.minio.PutObjectArgs;
import io.minio.RemoveObjectArgs;
import io.minio.errors.ErrorResponseException;
import io.minio.errors.MinioException;
import io.minio.messages.Item;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import okhttp3.OkHttpClient;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Objects in a bucket of an S3 server, through the MinIO client. An object's version is its ETag;
 * conditional writes are {@code If-None-Match: *} and {@code If-Match} (Amazon S3 API, PutObject).
 *
 * <p>Calls that may be repeated are, a bounded number of times. Conditional writes are not: one
 * whose answer was lost may have happened, and a repetition would then report the caller's own
 * write as somebody else's. It is {@code Unavailable}, and the caller reads the object to know.
 */
public final class S3ObjectStore implements ObjectStore {
  private static final Logger log = LoggerFactory.getLogger(S3ObjectStore.class);
  private static final String ANY = "*";

  private static final int KEYS_PER_LISTING = 1000;

  private final S3Config config;
  private final int keysPerListing;
  private final S3Retry retry;
  private final OkHttpClient http;
  private final MinioClient client;

  /** Makes no connection; {@link #check} does. */
  public S3ObjectStore(S3Config config) {
    this(config, KEYS_PER_LISTING);
  }

  S3ObjectStore(S3Config config, int keysPerListing) {
    this.config = config;
    this.keysPerListing = keysPerListing;
    this.retry = new S3Retry(config);
    this.http =
        new OkHttpClient.Builder()
            .connectTimeout(config.connectTimeoutMs(), TimeUnit.MILLISECONDS)
            .readTimeout(config.requestTimeoutMs(), TimeUnit.MILLISECONDS)
            .writeTimeout(config.requestTimeoutMs(), TimeUnit.MILLISECONDS)
            .callTimeout(config.requestTimeoutMs(), TimeUnit.MILLISECONDS)
            .retryOnConnectionFailure(false) // would repeat conditional writes
            .build();
    this.client =
        MinioClient.builder()
            .endpoint(config.endpoint())
            .region(config.region())
            .credentials(config.accessKey(), config.secretKey().reveal())
            .httpClient(http)
            .build();
    client.setRetry(java.util.Set.of(), 0L, 1);
  }

  /**
   * Checks, at start, that the bucket is there, that it may be written, and that the server keeps
   * conditional writes apart: Ebb's fencing rests on that, and some servers ignore the condition.
   */
  public void check() {
    boolean exists =
        retry.call(
            "look for bucket " + config.bucket(),
            () -> client.bucketExists(BucketExistsArgs.builder().bucket(config.bucket()).build()));
    if (!exists) {
      throw new EbbException.Unavailable(
          "bucket "
              + config.bucket()
              + " does not exist at "
              + config.endpoint()
              + ": create it, or correct the configuration");
    }
    String key = "check/" + UUID.randomUUID();
    byte[] content = "Ebb checks conditional writes".getBytes(StandardCharsets.UTF_8);
    try {
      boolean first = putIfAbsent(key, content).isPresent();
      boolean second = putIfAbsent(key, content).isPresent();
      boolean stale = putIfMatch(key, content, new Version("0".repeat(32))).isPresent();
      if (!first || second || stale) {
        throw new EbbException.Unavailable(
            config.endpoint()
                + " does not honour conditional writes (If-None-Match, If-Match), which Ebb needs:"
                + " use a server that does");
      }
    } finally {
      delete(key);
    }
  }

  @Override
  public Optional<Stored> get(String key) {
    String object = object(key);
    return retry.call(
        "read " + key,
        () -> {
          try (GetObjectResponse in =
              client.getObject(
                  GetObjectArgs.builder().bucket(config.bucket()).object(object).build())) {
            Version version = new Version(unquoted(in.headers().get("ETag")));
            return Optional.of(new Stored(in.readAllBytes(), version));
          } catch (ErrorResponseException e) {
            return absentOrThrow(e);
          }
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
    return retry.call("read " + key, () -> readRange(key, object, offset, length));
  }

  private Optional<byte[]> readRange(String key, String object, long offset, int length)
      throws MinioException, IOException {
    var args =
        GetObjectArgs.builder()
            .bucket(config.bucket())
            .object(object)
            .offset(offset)
            .length((long) length)
            .build();
    try (GetObjectResponse in = client.getObject(args)) {
      byte[] bytes = in.readNBytes(length);
      if (bytes.length < length) {
        throw rangeOutside(key, offset, length);
      }
      return Optional.of(bytes);
    } catch (ErrorResponseException e) {
      if (e.response().code() == 416) {
        throw rangeOutside(key, offset, length);
      }
      return absentOrThrow(e);
    }
  }

  @Override
  public Version put(String key, byte[] content) {
    String object = object(key);
    return retry.call("write " + key, () -> write(object, content, Map.of()));
  }

  @Override
  public Optional<Version> putIfAbsent(String key, byte[] content) {
    return writeIf(key, content, "If-None-Match", ANY);
  }

  @Override
  public Optional<Version> putIfMatch(String key, byte[] content, Version expected) {
    return writeIf(key, content, "If-Match", '"' + expected.tag() + '"');
  }

  private Optional<Version> writeIf(String key, byte[] content, String header, String value) {
    String object = object(key);
    return retry.callRefusable(
        "write " + key,
        () -> {
          try {
            return Optional.of(write(object, content, Map.of(header, value)));
          } catch (ErrorResponseException e) {
            int status = e.response().code();
            boolean gone = "NoSuchKey".equals(e.errorResponse().code());
            if (status == 412 || gone) {
              return Optional.empty();
            }
            throw e;
          }
        });
  }

  private Version write(String object, byte[] content, Map<String, String> headers)
      throws MinioException {
    ObjectWriteResponse written =
        client.putObject(
            PutObjectArgs.builder()
                .bucket(config.bucket())
                .object(object)
                .data(content, content.length)
                .maxRetries(1)
                .extraHeaders(headers)
                .build());
    return new Version(unquoted(written.etag()));
  }

  @Override
  public void delete(String key) {
    String object = object(key);
    retry.call(
        "delete " + key,
        () -> {
          try {
            client.removeObject(
                RemoveObjectArgs.builder().bucket(config.bucket()).object(object).build());
          } catch (ErrorResponseException e) {
            absentOrThrow(e);
          }
          return object;
        });
  }

  @Override
  public List<Listed> list(String prefix) {
    ObjectKeys.requirePrefix(prefix);
    String ours = config.prefix().isEmpty() ? "" : config.prefix() + "/";
    return retry.call("list " + prefix, () -> listOnce(ours, prefix));
  }

  private List<Listed> listOnce(String ours, String prefix) throws MinioException {
    var found = new ArrayList<Listed>();
    var args =
        ListObjectsArgs.builder()
            .bucket(config.bucket())
            .prefix(ours + prefix)
            .recursive(true)
            .maxKeys(keysPerListing)
            .build();
    for (var result : client.listObjects(args)) {
      Item item = result.get();
      if (!item.isDir()) {
        found.add(
            new Listed(
                item.objectName().substring(ours.length()),
                item.size(),
                item.lastModified().toInstant().toEpochMilli()));
      }
    }
    found.sort(Comparator.comparing(Listed::key));
    return List.copyOf(found);
  }

  @Override
  public void close() {
    try {
      client.close();
    } catch (Exception e) {
      log.warn("could not close the S3 client", e);
    }
    http.dispatcher().executorService().shutdown();
    http.connectionPool().evictAll();
  }

  private String object(String key) {
    ObjectKeys.require(key);
    return config.prefix().isEmpty() ? key : config.prefix() + "/" + key;
  }

  private static <T> Optional<T> absentOrThrow(ErrorResponseException error)
      throws ErrorResponseException {
    if ("NoSuchKey".equals(error.errorResponse().code())) {
      return Optional.empty();
    }
    throw error;
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

  private static String unquoted(@org.jspecify.annotations.Nullable String etag) {
    if (etag == null || etag.isEmpty()) {
      throw new EbbException.Unavailable("the S3 server sent no ETag, which Ebb needs");
    }
    return etag.startsWith("\"") ? etag.substring(1, etag.length() - 1) : etag;
  }
}

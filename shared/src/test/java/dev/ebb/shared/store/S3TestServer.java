package dev.ebb.shared.store;

import dev.ebb.shared.model.Secret;
import java.io.InputStream;
import java.net.URI;
import java.util.UUID;
import org.gaul.s3proxy.S3ErrorCode;
import org.gaul.s3proxy.S3Proxy;
import org.gaul.s3proxy.S3ProxyException;
import org.gaul.s3proxy.auth.AuthenticationType;
import org.gaul.s3proxy.blobstore.BlobStore;
import org.gaul.s3proxy.blobstore.ForwardingBlobStore;
import org.gaul.s3proxy.nio2blob.TransientNio2BlobStore;
import software.amazon.awssdk.services.s3.model.CreateBucketRequest;
import software.amazon.awssdk.services.s3.model.DeleteObjectRequest;
import software.amazon.awssdk.services.s3.model.DeleteObjectResponse;
import software.amazon.awssdk.services.s3.model.HeadObjectRequest;
import software.amazon.awssdk.services.s3.model.PutObjectRequest;
import software.amazon.awssdk.services.s3.model.PutObjectResponse;

/** An S3 server for tests, in memory, on a port of its own of the loopback interface. */
public final class S3TestServer implements AutoCloseable {
  public static final String ACCESS_KEY = "ebb-test";
  public static final String SECRET_KEY = "ebb-test-secret";

  private static final S3Config.Limits LIMITS =
      new S3Config.Limits(2_000, 5_000, 20_000, 5, S3Config.Limits.MIN_PART_BYTES);

  private final BlobStore blobs;
  private final S3Proxy server;

  /**
   * S3Proxy looks whether the ETag matches and writes in two steps between which another write
   * fits, on all its stores of its own; this makes them one, as on a real S3 server.
   */
  private static final class AtomicIfMatch extends ForwardingBlobStore {
    AtomicIfMatch(BlobStore blobs) {
      super(blobs);
    }

    @Override
    public synchronized PutObjectResponse putBlob(PutObjectRequest request, InputStream payload) {
      if (request.ifMatch() != null) {
        var now =
            blobMetadata(
                HeadObjectRequest.builder().bucket(request.bucket()).key(request.key()).build());
        if (now == null || !unquoted(now.eTag()).equals(unquoted(request.ifMatch()))) {
          throw new S3ProxyException(S3ErrorCode.PRECONDITION_FAILED);
        }
      }
      return super.putBlob(request, payload);
    }

    @Override
    public synchronized DeleteObjectResponse removeBlob(DeleteObjectRequest request) {
      return super.removeBlob(request);
    }

    private static String unquoted(String etag) {
      return etag.replace("\"", "");
    }
  }

  /** A server that writes whatever the condition is, as some do. */
  private static final class IgnoringConditions extends ForwardingBlobStore {
    IgnoringConditions(BlobStore blobs) {
      super(blobs);
    }

    @Override
    public PutObjectResponse putBlob(PutObjectRequest request, InputStream payload) {
      return super.putBlob(request.toBuilder().ifMatch(null).ifNoneMatch(null).build(), payload);
    }
  }

  public S3TestServer() {
    this(new AtomicIfMatch(new TransientNio2BlobStore()));
  }

  /** One that ignores conditions. */
  static S3TestServer ignoringConditions() {
    return new S3TestServer(new IgnoringConditions(new TransientNio2BlobStore()));
  }

  private S3TestServer(BlobStore blobs) {
    this.blobs = blobs;
    try {
      server =
          S3Proxy.builder()
              .blobStore(blobs)
              .endpoint(URI.create("http://127.0.0.1:0"))
              .awsAuthentication(AuthenticationType.AWS_V2_OR_V4, ACCESS_KEY, SECRET_KEY)
              .build();
      server.start();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  public String endpoint() {
    return "http://127.0.0.1:" + server.getPort();
  }

  /** How to reach a new, empty bucket. */
  public S3Config newBucket() {
    String bucket = "ebb-" + UUID.randomUUID();
    blobs.createContainer(CreateBucketRequest.builder().bucket(bucket).build());
    return config(bucket, SECRET_KEY);
  }

  S3Config config(String bucket, String secretKey) {
    return new S3Config(
        endpoint(),
        bucket,
        "some/prefix",
        "us-east-1",
        new S3Config.Credentials(new Secret(ACCESS_KEY), new Secret(secretKey)),
        LIMITS);
  }

  @Override
  public void close() {
    try {
      server.stop();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }
}

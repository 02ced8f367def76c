import java.nio.file.*;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.*;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;

/** Verifies a detached CMS signature (first argument) over a file (second) with BouncyCastle. */
public class Check {
  public static void main(String[] a) throws Exception {
    CMSSignedData s = new CMSSignedData(new CMSProcessableByteArray(Files.readAllBytes(Path.of(a[1]))), Files.readAllBytes(Path.of(a[0])));
    SignerInformation one = s.getSignerInfos().getSigners().iterator().next();
    X509CertificateHolder c = (X509CertificateHolder) s.getCertificates().getMatches(one.getSID()).iterator().next();
    if (!one.verify(new JcaSimpleSignerInfoVerifierBuilder().setProvider(new BouncyCastleProvider()).build(c))) System.exit(1);
    System.out.println("verified");
  }
}

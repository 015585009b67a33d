//! Why a TLS client refused a server's certificate.

use std::io;

use rustls::CertificateError;

/// What is wrong with a certificate, as far as the remedies differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CertificateProblem {
    /// It does not name the host.
    Name,
    /// It is not valid now.
    Time,
    /// No authority that is trusted has signed it, or something else is wrong.
    Trust,
}

impl CertificateProblem {
    /// The problem, if `error` is about a certificate.
    pub(crate) fn of(error: &rustls::Error) -> Option<Self> {
        let rustls::Error::InvalidCertificate(error) = error else {
            return None;
        };
        Some(match error {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::Name
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Self::Time,
            _ => Self::Trust,
        })
    }

    /// Like [`Self::of`], for the error of a handshake on a connection.
    pub(crate) fn of_connection(error: &io::Error) -> Option<Self> {
        Self::of(error.get_ref()?.downcast_ref()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_with_different_remedies_are_told_apart() {
        let problem = |error: rustls::Error| {
            assert_eq!(
                CertificateProblem::of(&error),
                CertificateProblem::of_connection(&io::Error::other(error.clone()))
            );
            CertificateProblem::of(&error)
        };
        for (error, expected) in [
            (CertificateError::NotValidForName, CertificateProblem::Name),
            (CertificateError::Expired, CertificateProblem::Time),
            (CertificateError::NotValidYet, CertificateProblem::Time),
            (CertificateError::UnknownIssuer, CertificateProblem::Trust),
        ] {
            assert_eq!(
                problem(rustls::Error::InvalidCertificate(error)),
                Some(expected)
            );
        }
        assert_eq!(problem(rustls::Error::DecryptError), None);
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(CertificateProblem::of_connection(&refused), None);
    }
}

//! Closed codes: the numbers that words carry, and what they mean (W-6).
//!
//! A number that is not listed is refused by the reader of the word. 0 is never a code. Numbers are never reused.

pub mod document_type;

pub use document_type::DocumentType;

/// Defines a closed set of codes.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant = $number,)*
        }

        impl $name {
            /// Every code of the set, ascending.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number that words carry.
            pub const fn number(self) -> u32 {
                self as u32
            }
        }

        impl TryFrom<u32> for $name {
            /// The number that is not a code.
            type Error = u32;

            fn try_from(number: u32) -> Result<Self, u32> {
                match number {
                    $($number => Ok(Self::$variant),)*
                    _ => Err(number),
                }
            }
        }
    )*};
}

codes! {
    /// What a member is in the region (M-1).
    MemberRole {
        /// A hospital or another institution that holds records.
        Custodian = 1,
        /// The registry of the region.
        Registry = 2,
        /// Serves the pages of patients under the region's domain.
        Portal = 3,
        /// The health bureau: figures, never records.
        Bureau = 4,
    }

    /// What a signing key may sign (M-4).
    KeyUse {
        /// Envelopes of the member's own words.
        Words = 1,
        /// Checkpoints of the log.
        Checkpoint = 2,
        /// Leases.
        Lease = 3,
    }

    /// Whether a key still counts (M-5).
    KeyStatus {
        /// Signs and is believed.
        Valid = 1,
        /// Signs nothing new; what it signed before stays good.
        Retired = 2,
        /// In other hands since a place in the log.
        Compromised = 3,
    }

    /// What holds where no directive speaks (D-7).
    DefaultRule {
        /// Nothing flows.
        Deny = 1,
        /// Normal documents flow for treatment to an organisation that attests a treating relationship.
        TreatingRelationship = 2,
        /// Normal documents flow for treatment.
        AllNormal = 3,
    }

    /// How a patient proves a consent act (C-8).
    ProofKind {
        /// A passkey assertion over the act.
        Passkey = 1,
        /// The patient's login, attested by a member.
        AttestedLogin = 2,
        /// A desk of a member, with evidence kept there.
        DeskWitness = 3,
    }

    /// Coarse class of a document: what directives speak about. Field `class` of an entry.
    DocumentClass {
        /// Summary of a visit or a stay, medical record front page.
        Summary = 1,
        /// Outpatient and emergency records.
        Outpatient = 2,
        /// Records of a stay.
        Inpatient = 3,
        /// Laboratory reports.
        Laboratory = 4,
        /// Reports of examinations and imaging.
        Examination = 5,
        /// Image studies.
        Imaging = 6,
        /// Prescriptions, orders, dispensing.
        Medication = 7,
        /// Operations, anaesthesia, transfusion, treatment.
        Procedure = 8,
        /// Nursing records.
        Nursing = 9,
        /// Informed consent forms and notices.
        ConsentForm = 10,
        /// Referral and consultation records.
        Referral = 11,
        /// Health checks and public-health services.
        HealthCheck = 12,
        /// Vaccinations.
        Immunisation = 13,
        /// Births, deaths.
        Certificate = 14,
        /// Bills and settlements.
        Finance = 15,
        /// Anything else.
        Other = 16,
    }

    /// The format of a document's bytes. Field `format` of an entry.
    DocumentFormat {
        /// HL7 v2 message.
        Hl7V2 = 1,
        /// CDA as WS/T 500 and WS/T 483 shape it.
        CdaWst = 2,
        /// CDA of another shape, C-CDA among them.
        Cda = 3,
        /// FHIR R4 JSON.
        FhirJson = 4,
        /// FHIR R4 XML.
        FhirXml = 5,
        /// PDF.
        Pdf = 6,
        /// Plain text in UTF-8.
        Text = 7,
        /// DICOM, one object or one study.
        Dicom = 8,
        /// JPEG or PNG picture.
        Picture = 9,
        /// A table.
        Table = 10,
        /// Bytes of another kind.
        Binary = 11,
    }

    /// The kind of institution (WS/T 364 value set of institution categories, coarse). Field `facility`.
    FacilityKind {
        /// General hospital.
        GeneralHospital = 1,
        /// Hospital of traditional Chinese medicine.
        ChineseMedicineHospital = 2,
        /// Specialised hospital.
        SpecialisedHospital = 3,
        /// Community health centre or station.
        CommunityCentre = 4,
        /// Township health centre.
        TownshipCentre = 5,
        /// Village clinic or private clinic.
        Clinic = 6,
        /// Maternal and child health institution.
        MaternalChild = 7,
        /// Centre for disease control.
        DiseaseControl = 8,
        /// Laboratory or imaging centre.
        DiagnosticCentre = 9,
        /// Anything else.
        Other = 10,
    }

    /// The practice setting (WS/T 364 department categories, coarse). Field `practice`.
    PracticeSetting {
        /// Not stated by the source.
        NotStated = 1,
        /// General practice.
        GeneralPractice = 2,
        /// Internal medicine.
        InternalMedicine = 3,
        /// Surgery.
        Surgery = 4,
        /// Obstetrics and gynaecology.
        ObstetricsGynaecology = 5,
        /// Paediatrics.
        Paediatrics = 6,
        /// Eye, ear, nose, throat, mouth.
        HeadNeck = 7,
        /// Skin and venereal diseases.
        Dermatology = 8,
        /// Psychiatry.
        Psychiatry = 9,
        /// Infectious diseases.
        InfectiousDiseases = 10,
        /// Oncology.
        Oncology = 11,
        /// Emergency medicine.
        Emergency = 12,
        /// Rehabilitation.
        Rehabilitation = 13,
        /// Traditional Chinese medicine.
        ChineseMedicine = 14,
        /// Intensive care.
        IntensiveCare = 15,
        /// Laboratory.
        Laboratory = 16,
        /// Imaging.
        Imaging = 17,
        /// Pharmacy.
        Pharmacy = 18,
        /// Anything else.
        Other = 19,
    }

    /// How sensitive a document is (HL7 Confidentiality N, R, V). Field `sensitivity`.
    Sensitivity {
        /// Ordinary health data.
        Normal = 1,
        /// Restricted: psychiatry, HIV, reproductive health and what the region adds.
        Restricted = 2,
        /// Very restricted: sealed or at the patient's explicit wish.
        VeryRestricted = 3,
    }

    /// How final a document is. Field `status` of an entry.
    DocumentStatus {
        /// Final.
        Final = 1,
        /// Preliminary: a final one follows.
        Preliminary = 2,
        /// Corrects an earlier one that it replaces.
        Amended = 3,
    }

    /// Why an entry was withdrawn (N-7).
    WithdrawalReason {
        /// Filed under the wrong patient.
        WrongPatient = 1,
        /// The document was made in error.
        EnteredInError = 2,
        /// The patient asked for erasure and the law grants it.
        Erasure = 3,
        /// Kept no longer than the retention period.
        Retention = 4,
        /// The publisher has lost the document, or its key.
        Lost = 80,
    }

    /// Permit or forbid (C-3).
    Stance {
        /// Lets data flow.
        Permit = 1,
        /// Stops data.
        Forbid = 2,
    }

    /// What data is asked for (HL7 PurposeOfUse, coarse).
    Purpose {
        /// Treatment: referral, consultation, continued care.
        Treatment = 1,
        /// Emergency treatment: breaks the glass (D-8).
        Emergency = 2,
        /// The patient's own access.
        PatientRequest = 3,
        /// Payment and insurance settlement.
        Payment = 4,
        /// Public health duty.
        PublicHealth = 5,
        /// Quality assurance, mutual recognition.
        Quality = 6,
        /// Research.
        Research = 7,
        /// Running a hospital or a region, of which quality is a part (D-2).
        Operations = 8,
    }

    /// The role in which a person asks.
    PersonRole {
        /// Physician.
        Physician = 1,
        /// Nurse.
        Nurse = 2,
        /// Referral office.
        ReferralOffice = 3,
        /// Head of a department.
        DepartmentHead = 4,
        /// Pharmacist.
        Pharmacist = 5,
        /// Technician of laboratory or imaging.
        Technician = 6,
        /// Registration desk.
        Desk = 7,
        /// The patient.
        Patient = 8,
        /// A guardian of the patient.
        Guardian = 9,
        /// A system without a person at it.
        System = 10,
        /// The office that answers for records and for what is done with them (医务科).
        MedicalAffairs = 11,
    }

    /// The legal basis of a directive or of a release (PIPL articles 13, 23, 29).
    LegalBasis {
        /// Separate consent of the patient (art. 23, 29).
        SeparateConsent = 1,
        /// Consent of a guardian (art. 31).
        GuardianConsent = 2,
        /// Emergency to protect life and health (art. 13 (4)).
        Emergency = 3,
        /// Statutory duty (art. 13 (3)).
        StatutoryDuty = 4,
        /// The patient's objection: a forbid.
        Objection = 5,
        /// The region's default rule (D-7).
        RegionDefault = 6,
        /// A guardian's objection for the patient: a forbid.
        GuardianObjection = 7,
    }

    /// Why a directive was revoked.
    RevocationReason {
        /// The patient's wish.
        PatientWish = 1,
        /// Written down wrongly.
        Error = 2,
        /// The patient has died.
        Death = 3,
        /// Guardianship has ended or passed on.
        Guardianship = 4,
        /// The key that signed it was lost.
        LostKey = 5,
    }

    /// The algorithm of a passkey (COSE algorithm identifiers).
    CredentialAlgorithm {
        /// ECDSA P-256 with SHA-256 (COSE -7).
        Es256 = 1,
        /// RSASSA-PKCS1-v1_5 with SHA-256 (COSE -257).
        Rs256 = 2,
        /// Ed25519 (COSE -8).
        EdDsa = 3,
    }

    /// Whether a credential counts.
    CredentialState {
        /// In use.
        Valid = 1,
        /// Lost or given up.
        Revoked = 2,
    }

    /// What happened in an access event.
    AccessAct {
        /// A document was released to a peer.
        Release = 1,
        /// A released document arrived.
        Delivery = 2,
        /// A received copy was opened.
        Opening = 3,
        /// A directive was recorded.
        Consent = 4,
        /// A directive was revoked.
        Revocation = 5,
        /// A step of a referral.
        ReferralStep = 6,
        /// Emergency access.
        BreakGlass = 7,
        /// An unopened copy was erased after a revocation.
        Erasure = 8,
        /// An opened copy stays in the receiver's record after a revocation.
        Retention = 9,
        /// The patient's consents or access events were shown.
        LogView = 10,
        /// The index was searched. The registry says it.
        Search = 11,
        /// A member has filed its first document of the patient. The registry says it.
        FirstFiling = 12,
        /// A document was withdrawn by its publisher.
        Withdrawal = 13,
        /// What proves an access was exported.
        Export = 40,
    }

    /// What a patient asks for.
    PatientQuestion {
        /// Head and directives in force.
        Consents = 1,
        /// Access events.
        Events = 2,
        /// What the index holds, by publisher (L-15).
        Holdings = 60,
    }

    /// How what the index holds of a subject stands to its publisher's receipts (L-16).
    Agreement {
        /// All that has a receipt is there.
        Agrees = 1,
        /// Something that has a receipt is not there.
        Omits = 2,
        /// It cannot be told yet: the newest receipt is of a later tree.
        Later = 3,
    }

    /// How it ended.
    AccessOutcome {
        /// Done.
        Permitted = 1,
        /// Refused by decision.
        Denied = 2,
        /// Not decided: something failed.
        Failed = 3,
    }

    /// The state that a referral step leads to.
    ReferralAct {
        /// Sent by the referring side.
        Send = 1,
        /// Taken in by the receiving side's node.
        Receive = 2,
        /// Accepted.
        Accept = 3,
        /// Declined.
        Decline = 4,
        /// Passed on to another institution.
        Redirect = 5,
        /// An appointment or a bed is booked.
        Book = 6,
        /// The patient has arrived and the identity was confirmed.
        Arrive = 7,
        /// Treatment has begun.
        Admit = 8,
        /// The receiving side's answer: result, advice, referral back.
        Answer = 9,
        /// Closed by the referring side.
        Close = 10,
        /// Cancelled by the referring side.
        Cancel = 11,
        /// Expired unanswered.
        Expire = 12,
    }

    /// Sex (GB/T 2261.1, one higher). Of a referral form.
    Sex {
        /// Not known.
        Unknown = 1,
        /// Male.
        Male = 2,
        /// Female.
        Female = 3,
        /// Not stated.
        NotStated = 10,
    }

    /// How fast a referral wants to be answered.
    Urgency {
        /// In its turn.
        Routine = 1,
        /// Within days.
        Urgent = 2,
        /// At once.
        Emergency = 3,
    }

    /// Which way a patient is referred (双向转诊).
    Way {
        /// To a larger institution (上转).
        Up = 1,
        /// Back to a smaller one (下转).
        Down = 2,
    }

    /// Why a call was refused. What must look alike has one code (Q-5, P-4).
    RefusalCode {
        /// The asker is not a current member, or not in this role.
        NotMember = 1,
        /// The bytes are not the word they should be.
        Malformed = 2,
        /// A signature, key or region does not fit.
        BadSignature = 3,
        /// The same id with other content was accepted before.
        Conflict = 4,
        /// Not next in its chain: the asker must catch up first.
        OutOfOrder = 5,
        /// Over a bound of the region or of this process.
        OverLimit = 6,
        /// Not now: try again after the time given.
        Busy = 7,
        /// Nothing that the asker may have: unknown, unpermitted and absent alike.
        Nothing = 8,
        /// The asker's request has expired or was used before.
        Stale = 9,
        /// Stopped while under way, because it is permitted no longer.
        Stopped = 10,
        /// Something failed here; nothing was taken.
        Failed = 11,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w6_zero_and_unlisted_numbers_are_no_codes() {
        assert_eq!(Stance::try_from(0), Err(0));
        assert_eq!(Stance::try_from(3), Err(3));
        assert_eq!(Stance::try_from(2), Ok(Stance::Forbid));
    }

    #[test]
    fn codes_count_up_without_gaps() {
        for (at, class) in DocumentClass::ALL.iter().enumerate() {
            assert_eq!(class.number() as usize, at + 1);
        }
    }
}
